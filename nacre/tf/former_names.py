"""What names of TensorFlow's first version are called in the second.

Of each pair the arguments are the same. Names whose arguments differ are in `first_version.py`.
The facts are TensorFlow 2.15.1's: both names stand for one function there.
"""

from __future__ import annotations

# A line is a module below `tf.compat.v1`, the module below `tf`, and the names; `old=new` where
# they differ, and `.` for the packages themselves.
_LINES = """
. .: lin_space=linspace reverse_v2=reverse tensor_scatter_add=tensor_scatter_nd_add
    tensor_scatter_sub=tensor_scatter_nd_sub tensor_scatter_update=tensor_scatter_nd_update
    where_v2=where
. debugging: assert_proper_iterable assert_same_float_dtype check_numerics is_numeric_tensor
. errors: OpError
. image: random_crop
. io: FixedLenFeature FixedLenSequenceFeature SparseFeature VarLenFeature decode_base64
    decode_compressed decode_json_example deserialize_many_sparse encode_base64 matching_files
    parse_single_sequence_example parse_tensor read_file serialize_tensor write_file
. linalg: cholesky cholesky_solve cross diag=tensor_diag diag_part=tensor_diag_part global_norm
    matrix_band_part=band_part matrix_determinant=det matrix_diag=diag
    matrix_diag_part=diag_part matrix_inverse=inv matrix_set_diag=set_diag matrix_solve=solve
    matrix_solve_ls=lstsq matrix_transpose matrix_triangular_solve=triangular_solve qr
    self_adjoint_eig=eigh self_adjoint_eigvals=eigvalsh svd trace
. math: accumulate_n angle betainc ceil conj cumprod digamma div_no_nan=divide_no_nan erf erfc
    expm1 floordiv floormod=mod igamma igammac imag invert_permutation is_finite is_inf is_nan
    is_non_decreasing is_strictly_increasing lbeta lgamma log log1p log_sigmoid logical_xor mod
    polygamma real reciprocal rint rsqrt segment_max segment_mean segment_min segment_prod
    segment_sum squared_difference unsorted_segment_max unsorted_segment_mean
    unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum zeta
. random: random_gamma=gamma random_normal=normal random_shuffle=shuffle random_uniform=uniform
    truncated_normal
. signal: fft fft2d fft3d ifft ifft2d ifft3d
. sparse: sparse_maximum=maximum sparse_minimum=minimum sparse_reorder=reorder
    sparse_reshape=reshape sparse_retain=retain sparse_slice=slice sparse_softmax=softmax
    sparse_tensor_dense_matmul=sparse_dense_matmul sparse_tensor_to_dense=to_dense
    sparse_to_indicator=to_indicator sparse_transpose=transpose
. strings: regex_replace string_join=join string_strip=strip
    string_to_hash_bucket_fast=to_hash_bucket_fast
    string_to_hash_bucket_strong=to_hash_bucket_strong
data data: AUTOTUNE Dataset DatasetSpec FixedLengthRecordDataset INFINITE_CARDINALITY
    NumpyIterator Options TFRecordDataset TextLineDataset ThreadingOptions UNKNOWN_CARDINALITY
data.experimental .: Structure=TypeSpec
data.experimental data: AUTOTUNE DatasetStructure=DatasetSpec ThreadingOptions
data.experimental data.experimental: AutoShardPolicy AutotuneAlgorithm AutotuneOptions
    DistributeOptions OptimizationOptions TFRecordWriter assert_cardinality
    bucket_by_sequence_length cardinality copy_to_device dense_to_ragged_batch enumerate_dataset
    from_list get_single_element get_structure group_by_window ignore_errors map_and_batch
    parallel_interleave prefetch_to_device rejection_resample scan shuffle_and_repeat snapshot
    take_while unbatch unique
debugging math: is_finite is_inf is_nan is_non_decreasing is_strictly_increasing
dtypes .: as_string
image image: resize_image_with_crop_or_pad=resize_with_crop_or_pad transpose_image=transpose
io io: FixedLenFeature
io queue: PaddingFIFOQueue PriorityQueue QueueBase RandomShuffleQueue
manip .: reverse roll scatter_nd space_to_batch_nd tile
nn nn: avg_pool_v2=avg_pool max_pool_v2=max_pool
nn random: log_uniform_candidate_sampler uniform_candidate_sampler
python_io io: TFRecordOptions TFRecordWriter
saved_model saved_model: load_v2=load
saved_model.experimental saved_model: save
sets sets: set_difference=difference set_intersection=intersection set_size=size set_union=union
sparse sparse: matmul=sparse_dense_matmul
spectral signal: dct fft fft2d fft3d idct ifft ifft2d ifft3d irfft irfft2d irfft3d rfft rfft2d
    rfft3d
"""


def _read() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _LINES.strip().replace("\n    ", " ").splitlines():
        places, _, names = line.partition(": ")
        before, now = (f"{place}." if place != "." else "" for place in places.split())
        for pair in names.split():
            old, _, new = pair.partition("=")
            found[f"compat.v1.{before}{old}"] = f"{now}{new or old}"
    return found


# 'compat.v1.log': 'math.log', and so on.
FORMER_NAMES: dict[str, str] = _read()

__all__ = ["FORMER_NAMES"]
