"""Turning requests into products: the plan, the workers, the report."""

from xtendsrc.generate.process import process
from xtendsrc.generate.report import Outcome, Report
from xtendsrc.generate.run import compute, ensure, plan

__all__ = ["Outcome", "Report", "compute", "ensure", "plan", "process"]
