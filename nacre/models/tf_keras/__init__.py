"""Functions of `tf.keras.backend` whose arguments or meaning are not those of `nacre.ops`.

How this folder works: `nacre.backend` is their public face. `mathematics` computes, `neural` has
what networks are made of, `running` decides, draws random numbers, keeps values and makes functions
of graphs, for which all stand on the floor of models.
"""
