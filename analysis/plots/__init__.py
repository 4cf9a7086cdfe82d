"""Figures of scores: `tidy` reads any folder of results into one table, `style` decides how figures look, `figures` draws them."""
