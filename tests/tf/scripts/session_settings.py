# the head of many a training script: devices, memory, seeds, quiet logs
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_DETERMINISTIC_OPS"] = "1"
import random
import logging
import warnings
warnings.filterwarnings("ignore")
import numpy as np
import tensorflow as tf
tf.get_logger().setLevel("ERROR")
tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
tf.autograph.set_verbosity(0)
logging.getLogger("tensorflow").setLevel(logging.FATAL)

def set_seeds(seed=42):
    os.environ["PYTHONHASHSEED"] = str(seed)
    random.seed(seed)
    np.random.seed(seed)
    tf.random.set_seed(seed)
    tf.keras.utils.set_random_seed(seed)

set_seeds()
gpus = tf.config.experimental.list_physical_devices("GPU")
if gpus:
    try:
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        tf.config.set_visible_devices(gpus[0], "GPU")
        logical_gpus = tf.config.list_logical_devices("GPU")
        print(len(gpus), "Physical GPUs,", len(logical_gpus), "Logical GPUs")
    except RuntimeError as e:
        print(e)
print("Num GPUs Available: ", len(tf.config.list_physical_devices("GPU")))
print("built with cuda", tf.test.is_built_with_cuda(), tf.test.is_gpu_available(), repr(tf.test.gpu_device_name()))
config = tf.compat.v1.ConfigProto()
config.gpu_options.allow_growth = True
config.gpu_options.per_process_gpu_memory_fraction = 0.5
session = tf.compat.v1.Session(config=config)
tf.compat.v1.keras.backend.set_session(session)
tf.keras.backend.clear_session()
tf.config.threading.set_intra_op_parallelism_threads(2)
tf.config.threading.set_inter_op_parallelism_threads(2)
tf.config.optimizer.set_jit(False)
print(tf.executing_eagerly(), tf.__version__.split(".")[0], tf.config.get_soft_device_placement())
with tf.device("/CPU:0"):
    a = tf.random.uniform((3, 2), seed=1)
    print(a.shape, a.dtype == tf.float32, a.device.split(":")[-2:])
model = tf.keras.models.Sequential([tf.keras.layers.Dense(2, input_shape=(2,), kernel_initializer="ones")])
print(model.predict(np.array([[1.0, 2.0]]), verbose=0).tolist())
