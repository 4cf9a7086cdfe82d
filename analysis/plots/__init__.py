"""Figures of scores: `tidy` reads any folder of results into one table, `style` decides how figures look, `intervals` says what means carry, `figures` draws them."""
