"""A run on one page: `Model.report` writes it as HTML that needs nothing else to open.

How this folder works: `facts` reads off model, history and data what is shown, as plain data;
`elements` makes tables of it and `charts` pictures (SVG), all text escaped; `page` puts them
together.
"""
