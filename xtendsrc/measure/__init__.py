"""Pure numbers from events, masks, attitude and spectra: arrays in, arrays out."""
