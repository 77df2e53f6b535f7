"""Reports: static HTML pages with pictures and curves."""
