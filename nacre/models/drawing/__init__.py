"""Pictures of models: `plot_model` and `model_to_dot`.

How this folder works: `diagram` reads off a model which boxes, arrows and frames there are, as
plain data. With pydot and Graphviz `graphviz` hands that over to them. Without, it is drawn here:
`ranks` finds what stands above what and in which order, `places` the positions, `layout` puts
frames within frames and leads the arrows, and `svg` and `raster` write what was found.
"""
