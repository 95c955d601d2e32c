"""Names that are not here: a word for why, and what to write instead."""

REASONS: dict[str, str] = {
    "session": (
        "Graphs and sessions of TensorFlow 1 are not here: call functions with values, and "
        "decorate them with @tf.function."
    ),
    "estimator": "Estimators are not here: build a tf.keras.Model, and call its fit.",
    "feature_column": (
        "Feature columns are not here: use tf.keras.utils.FeatureSpace, or layers such as "
        "tf.keras.layers.CategoryEncoding, Normalization and StringLookup."
    ),
    "servers": (
        "Parameter servers are not here: train on one machine, tf.distribute.MirroredStrategy."
    ),
    "phase": "The phase belongs to a call: model(x, training=True).",
    "later": "It is not here yet.",
    "inner": "It belongs to how TensorFlow works inside, which nothing here needs.",
    "graph": "Graphs of TensorFlow are not here: decorate functions with @tf.function.",
    "kernels": "Ops compiled for TensorFlow cannot be loaded: write the function with tf or "
    "nacre.ops, its gradient with tf.custom_gradient.",
    "quantized": "Numbers are not quantized op by op: use model.quantize('int8'), or "
    "tf.lite.TFLiteConverter.",
    "operator": "Linear operators are not here: make the matrix (tf.linalg.diag), "
    "and use tf.linalg.matmul and tf.linalg.solve.",
    "cluster": "One machine trains here: tf.distribute.MirroredStrategy or OneDeviceStrategy.",
    "tpu": "On a TPU programs run as on any device; its tables and layouts are not here.",
    "raw": "Ops by their raw names are not here: use the function of tf, tf.math or tf.nn.",
    "mlir": "Programs are shown by nacre's summary and export, not as MLIR of TensorFlow.",
    "own_cell": "Write the call into a cell of your own: tf.keras.layers.RNN takes any.",
    "samplers": "Use tf.random.log_uniform_candidate_sampler or uniform_candidate_sampler.",
    "scipy": "Use the function of scipy.special, outside of compiled functions.",
    "nd": "Use tf.signal.fft, fft2d, fft3d and their inverses.",
    "picture": "Decode such pictures with Pillow, in a tf.py_function or before.",
    "protos": "Parse messages with the package protobuf, and hand over arrays.",
    "sparse_batches": "Batches are dense or ragged: use padded_batch or ragged_batch.",
    "sparse_parts": "Make it dense first: tf.sparse.to_dense.",
    "service": "Data services on other machines are not here: a data set is read where it is used.",
    "trace": "Use tf.profiler.experimental.start and stop; the TensorBoard callback writes graphs.",
    "bytes8": "Numbers of fewer bits are kinds of quantizers: model.quantize('int8' or 'int4').",
    "crossed": "Use tf.keras.layers.HashedCrossing.",
    "boxes": "Write it with tf.image.non_max_suppression, box by box.",
    "forward": "Use jax.jvp on a function of arrays, or tf.GradientTape.",
    "benchmark": "Measure with time.perf_counter, or pytest-benchmark.",
    "build": "nacre is not built from C++ of TensorFlow's.",
    "checkpoint_views": "Use tf.train.list_variables and tf.train.load_checkpoint.",
    "typing": "For annotations use jax.Array.",
}

# Reason -> the names, and modules as a whole, that it is told of.
_BY_REASON: dict[str, str] = {
    "inner": "AggregationMethod CriticalSection DeviceSpec IndexedSlicesSpec NoneTensorSpec "
    "OptionalSpec TensorArraySpec check_pinned no_gradient "
    "register_tensor_conversion_function required_space_to_batch_paddings resource variant "
    "variable_creator_scope autograph.experimental.Feature "
    "compat.complex_types compat.integral_types compat.real_types "
    "compat.forward_compatibility_horizon config.experimental.ClusterDeviceFilters "
    "config.experimental.get_device_policy data.IteratorSpec "
    "data.experimental.DatasetInitializer data.experimental.from_variant "
    "data.experimental.to_variant data.experimental.get_model_proto "
    "data.experimental.SHARD_HINT data.experimental.make_saveable_from_iterator "
    "data.experimental.enable_debug_mode data.experimental.ExternalStatePolicy "
    "debugging.experimental dtypes.resource dtypes.variant dtypes.QUANTIZED_DTYPES "
    "io.write_graph io.gfile.get_registered_schemes lite.experimental test.experimental "
    "test.disable_with_predicate test.with_eager_op_as_function "
    "test.assert_equal_graph_def train.experimental saved_model.experimental "
    "saved_model.Asset xla.experimental profiler.experimental.client "
    "profiler.experimental.server graph_util types.experimental.distributed "
    "experimental.DynamicRaggedShape "
    "experimental.ExtensionTypeBatchEncoder "
    "experimental.RowPartition "
    "experimental.StructuredTensor experimental.async_clear_error experimental.async_scope "
    "experimental.dispatch_for_binary_elementwise_assert_apis "
    "experimental.dlpack experimental.dtensor "
    "experimental.enable_strict_mode experimental.extension_type experimental.float8_e4m3fn "
    "experimental.float8_e5m2 experimental.function_executor_type experimental.int4 "
    "experimental.register_filesystem_plugin experimental.tensorrt experimental.uint4 ",
    "later": "nondifferentiable_batch_function ragged_fill_empty_rows ragged_fill_empty_rows_grad "
    "random_index_shuffle approx_top_k conv conv2d_backprop_filter_v2 "
    "conv2d_backprop_input_v2 extract_volume_patches fingerprint dtensor "
    "config.experimental.get_memory_usage data.experimental.index_table_from_dataset "
    "data.experimental.table_from_dataset "
    "data.experimental.Reducer "
    "data.experimental.group_by_reducer data.experimental.RandomDataset "
    "data.experimental.at data.experimental.pad_to_cardinality io.match_filenames_once "
    "train.Coordinator math.sobol_sample nn.with_space_to_batch nn.collapse_repeated "
    "nn.ctc_unique_labels nn.batch_norm_with_global_normalization nn.isotonic_regression "
    "nn.fractional_avg_pool nn.fractional_max_pool nn.depthwise_conv2d_backprop_filter "
    "nn.depthwise_conv2d_backprop_input nn.atrous_conv2d_transpose "
    "nn.experimental.general_dropout image.extract_glimpse image.ssim_multiscale "
    "image.stateless_random_jpeg_quality image.sample_distorted_bounding_box "
    "image.stateless_sample_distorted_bounding_box linalg.banded_triangular_solve "
    "linalg.experimental random.experimental.index_shuffle "
    "random.stateless_parameterized_truncated_normal signal.inverse_mdct signal.mdct "
    "signal.kaiser_bessel_derived_window "
    "data.experimental.parse_example_dataset "
    "data.experimental.make_batched_features_dataset sparse.sampled_addmm",
    "graph": "Operation import_graph_def",
    "kernels": "RegisterGradient load_library load_op_library",
    "quantized": "quantization qint8 qint16 qint32 quint8 quint16 dtypes.qint8 dtypes.qint16 "
    "dtypes.qint32 dtypes.quint8 dtypes.quint16",
    "bytes8": "dtypes.experimental",
    "operator": " ".join(
        f"linalg.LinearOperator{kind}"
        for kind in (
            *" Adjoint BlockDiag BlockLowerTriangular Circulant Circulant2D Circulant3D".split(" "),
            *"Composition Diag FullMatrix Householder Identity Inversion Kronecker".split(),
            *"LowRankUpdate LowerTriangular Permutation ScaledIdentity Toeplitz Tridiag".split(),
            "Zeros",
        )
    ),
    "cluster": "distribute.CrossDeviceOps distribute.DistributedDataset distribute.Server "
    "distribute.DistributedIterator distribute.DistributedValues distribute.coordinator "
    "distribute.InputReplicationMode distribute.StrategyExtended "
    "distribute.experimental.coordinator distribute.experimental.partitioners "
    "distribute.experimental.rpc distribute.experimental.PreemptionCheckpointHandler "
    "distribute.experimental.PreemptionWatcher distribute.experimental.TerminationConfig "
    "distribute.experimental.ValueContext train.ClusterDef train.ClusterSpec train.JobDef "
    "train.ServerDef test.create_local_cluster "
    + " ".join(
        f"distribute.cluster_resolver.{kind}"
        for kind in "ClusterResolver GCEClusterResolver KubernetesClusterResolver "
        "KubernetesExecutableLocation SimpleClusterResolver SlurmClusterResolver "
        "TFConfigClusterResolver UnionResolver".split()
    ),
    "tpu": "tpu.XLAOptions tpu.experimental.DeviceAssignment tpu.experimental.DeviceOrderMode "
    "tpu.experimental.HardwareFeature tpu.experimental.TPUSystemMetadata "
    "tpu.experimental.Topology tpu.experimental.embedding",
    "raw": "raw_ops",
    "mlir": "mlir",
    "own_cell": "nn.RNNCellDeviceWrapper nn.RNNCellDropoutWrapper nn.RNNCellResidualWrapper",
    "samplers": "nn.all_candidate_sampler nn.compute_accidental_hits "
    "nn.fixed_unigram_candidate_sampler nn.learned_unigram_candidate_sampler "
    "random.all_candidate_sampler random.fixed_unigram_candidate_sampler "
    "random.learned_unigram_candidate_sampler",
    "scipy": " ".join(
        f"math.special.{name}"
        for name in "bessel_j0 bessel_j1 bessel_k0 bessel_k0e bessel_k1 bessel_k1e bessel_y0 "
        "bessel_y1 fresnel_cos fresnel_sin".split()
    ),
    "nd": "fftnd ifftnd rfftnd irfftnd signal.fftnd signal.ifftnd signal.rfftnd signal.irfftnd",
    "picture": "image.decode_jxl image.decode_webp io.decode_jxl io.decode_webp",
    "protos": "io.decode_proto io.encode_proto "
    "io.parse_sequence_example data.experimental.SqlDataset",
    "sparse_parts": "sparse.bincount sparse.fill_empty_rows sparse.mask sparse.reset_shape "
    "sparse.split",
    "sparse_batches": "data.experimental.dense_to_sparse_batch",
    "service": "data.experimental.service data.experimental.distributed_save",
    "trace": "summary.graph",
    "crossed": "sparse.cross sparse.cross_hashed ragged.cross ragged.cross_hashed",
    "boxes": "image.generate_bounding_box_proposals "
    "image.non_max_suppression_overlaps image.non_max_suppression_padded",
    "forward": "autodiff.ForwardAccumulator",
    "benchmark": "test.Benchmark test.benchmark_config",
    "build": "sysconfig.CXX11_ABI_FLAG sysconfig.CXX_VERSION sysconfig.MONOLITHIC_BUILD "
    "sysconfig.get_compile_flags sysconfig.get_include sysconfig.get_lib sysconfig.get_link_flags",
    "checkpoint_views": "train.CheckpointView train.TrackableView train.checkpoints_iterator",
    "typing": "types.experimental.AtomicFunction types.experimental.ConcreteFunction "
    "types.experimental.GenericFunction types.experimental.PolymorphicFunction "
    " types.experimental.Callable "
    "types.experimental.FunctionType types.experimental.SupportsTracingProtocol "
    "types.experimental.TraceType",
}

ABSENT: dict[str, str] = {
    **{name: reason for reason, names in _BY_REASON.items() for name in names.split()},
    "debugging.assert_all_finite": "Use tf.debugging.check_numerics.",
    "strings.to_hash_bucket": "Use tf.strings.to_hash_bucket_fast.",
    "nn.approx_max_k": "Use tf.math.top_k.",
    "nn.approx_min_k": "Use tf.math.top_k of the negatives.",
    "estimator": "estimator",
    "feature_column": "feature_column",
    "Session": "session",
    "placeholder": "session",
    "get_default_graph": "session",
    "get_default_session": "session",
    "global_variables_initializer": "session",
    "global_variables": "session",
    "InteractiveSession": "session",
    "Graph": "session",
    "reset_default_graph": "session",
    "variable_scope": "session",
    "get_variable": "session",
    "ConfigProto": "session",
    "GPUOptions": "session",
    "gradients": "Gradients are those of a tape: with tf.GradientTape() as tape: ...; "
    "tape.gradient(y, x).",
    "hessians": "Take the jacobian of a gradient, with two tapes.",
    "contrib": "TensorFlow 2 has no contrib any more; look for the name in tf.keras.",
    "flags": "Use argparse of Python's.",
    "logging": "Use logging of Python's, or tf.get_logger().",
    "distribute.ParameterServerStrategy": "servers",
    "distribute.experimental.ParameterServerStrategy": "servers",
    **{
        f"compat.v1.{name}": "session"
        for name in (
            "Graph get_default_graph get_variable "
            "global_variables global_variables_initializer placeholder reset_default_graph "
            "variable_scope"
        ).split()
    },
    "keras.estimator": "estimator",
    "keras.backend.gradients": "Gradients are those of a tape: with tf.GradientTape() as tape.",
    "keras.backend.learning_phase_scope": "phase",
    "keras.backend.set_learning_phase": "phase",
    "keras.callbacks.SidecarEvaluatorModelExport": "Save the best model with "
    "tf.keras.callbacks.ModelCheckpoint(save_best_only=True) where it is trained.",
    "keras.experimental.SequenceFeatures": "feature_column",
    "keras.layers.DenseFeatures": "feature_column",
    "keras.metrics.experimental.PyMetric": "Compute it in a callback's on_epoch_end, with values.",
    "keras.utils.StepsPerExecutionTuner": "fit finds the number of steps of a program by itself.",
    "keras.utils.experimental": "servers",
    "keras.dtensor": "Layouts over devices are not here yet.",
}

# Packages around TensorFlow that are refused, and what to use.
PACKAGES: dict[str, str] = {
    "tensorflow_addons": (
        "Most of it is in nacre: tf.keras.optimizers has AdamW, Lamb and Lion, tf.keras.losses "
        "TripletLoss and Circle, tf.keras.layers GroupNormalization and SpectralNormalization."
    ),
    "tensorflow_probability": (
        "For distributions use scipy.stats, or numpyro on JAX; tf.random and tf.keras.losses "
        "have what networks use."
    ),
    "tensorflow_text": (
        "Use tf.keras.layers.TextVectorization, or a tokenizer of the package tokenizers."
    ),
    "tensorflow_io": "Read files with tf.io, or with a package for their format.",
    "tensorflow_model_optimization": (
        "Use model.quantize('int8'), or nacre.quantizers; pruning is not here."
    ),
    "tensorflow_decision_forests": "Use scikit-learn or xgboost for trees.",
    "tensorflow_federated": "Training over several owners of data is not here.",
    "tensorflow_recommenders": "Build the two towers with tf.keras.layers.Embedding and Dot.",
    "tensorflow_ranking": "Write the loss as a function of y_true and y_pred.",
    "tensorflow_gan": "Write the step with two tf.GradientTape in a tf.function.",
    "tensorflow_quantum": "Circuits are not here.",
    "tensorflow_transform": "Use tf.keras.layers of preprocessing, with adapt.",
    "tensorflow_model_analysis": "Use tf.keras.metrics, by slices of the data.",
    "tensorflow_estimator": "Estimators are not here: build a tf.keras.Model, and call its fit.",
}
