"""A SavedModel of TensorFlow that computes with whole numbers of 64 bits.

python make_wide_saved_model.py FILE.zip     with TensorFlow 2.15
"""

import shutil
import sys
import tempfile

import tensorflow as tf


class Wide(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([4], tf.int64)])
    def serve(self, ids):
        return tf.cast((ids * 1000 + tf.cumsum(ids)) % 1000003, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([4], tf.int64)])
    def looked_up(self, ids):
        return tf.gather(tf.range(10.0), tf.reverse(ids, [0]))


with tempfile.TemporaryDirectory() as folder:
    wide = Wide()
    tf.saved_model.save(wide, folder)
    shutil.make_archive(sys.argv[1].removesuffix(".zip"), "zip", folder)
