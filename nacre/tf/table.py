"""What each name of TensorFlow's is here: one row each, read when the name is first asked for.

A row is `name(arguments) = what it computes`, arguments with TensorFlow's names, order and
defaults; `name=None` comes after them of itself. On the right stand

- `Sum(...)`: the op of that name in TensorFlow's graphs (`nodes.py`), with its inputs, and its
  attributes by name;
- `ops.relu(...)`, `random.normal(...)`: functions of `nacre.ops` and `nacre.random`;
- `t(x)`: `x` as a tensor; `same(x, y)`: tensors of one dtype; `axes(x, axis)`: axes as numbers, all
  of `x` where `axis` is None; `ints(x)`: whole numbers of the host; and what `arguments.py`,
  `making.py`, `arranging.py`, `formulas.py`, `networks.py`, `running.py`, `loops.py`,
  `randoms.py`, `pictures.py` and `checks.py` have else.

Or a row is `name = module:object`, a face of an object that is there.
"""

ROWS: dict[str, str] = {}

# Numbers one by one. Names here are `tf.math`'s; `SAME` says which of them `tf` has too.
ROWS["math"] = """
abs(x) = magnitude(t(x))
accumulate_n(inputs, shape=None, tensor_dtype=None) = AddN(*same(*inputs))
acos(x) = Acos(t(x))
acosh(x) = Acosh(t(x))
add(x, y) = AddV2(*same(x, y))
add_n(inputs) = AddN(*same(*inputs))
angle(input) = ops.angle(t(input))
argmax(input, axis=None, output_type=int64) = arg('ArgMax', t(input), axis, output_type)
argmin(input, axis=None, output_type=int64) = arg('ArgMin', t(input), axis, output_type)
asin(x) = Asin(t(x))
asinh(x) = Asinh(t(x))
atan(x) = Atan(t(x))
atan2(y, x) = Atan2(*same(y, x))
atanh(x) = Atanh(t(x))
bessel_i0(x) = BesselI0(t(x))
bessel_i0e(x) = BesselI0e(t(x))
bessel_i1(x) = BesselI1(t(x))
bessel_i1e(x) = BesselI1e(t(x))
betainc(a, b, x) = Betainc(*same(a, b, x))
ceil(x) = Ceil(t(x))
confusion_matrix(labels, predictions, num_classes=None, weights=None, dtype=int32) = confusion_matrix(labels, predictions, num_classes, weights, dtype)
conj(x) = Conj(t(x))
cos(x) = Cos(t(x))
cosh(x) = Cosh(t(x))
count_nonzero(input, axis=None, keepdims=None, dtype=int64) = count_nonzero(t(input), axis, keepdims, dtype)
cumprod(x, axis=0, exclusive=False, reverse=False) = Cumprod(t(x), ints(axis), exclusive=exclusive, reverse=reverse)
cumsum(x, axis=0, exclusive=False, reverse=False) = Cumsum(t(x), ints(axis), exclusive=exclusive, reverse=reverse)
cumulative_logsumexp(x, axis=0, exclusive=False, reverse=False) = CumulativeLogsumexp(t(x), ints(axis), exclusive=exclusive, reverse=reverse)
digamma(x) = Digamma(t(x))
divide(x, y) = quotient(*same(x, y))
divide_no_nan(x, y) = DivNoNan(*same(x, y))
equal(x, y) = Equal(*same(x, y))
erf(x) = Erf(t(x))
erfc(x) = Erfc(t(x))
erfinv(x) = Erfinv(t(x))
exp(x) = Exp(t(x))
expm1(x) = Expm1(t(x))
floor(x) = Floor(t(x))
floordiv(x, y) = FloorDiv(*same(x, y))
floormod(x, y) = FloorMod(*same(x, y))
greater(x, y) = Greater(*same(x, y))
greater_equal(x, y) = GreaterEqual(*same(x, y))
igamma(a, x) = Igamma(*same(a, x))
igammac(a, x) = Igammac(*same(a, x))
imag(input) = Imag(t(input))
in_top_k(targets, predictions, k) = InTopKV2(t(predictions), t(targets), ints(k))
invert_permutation(x) = InvertPermutation(t(x))
is_finite(x) = IsFinite(t(x))
is_inf(x) = IsInf(t(x))
is_nan(x) = IsNan(t(x))
is_non_decreasing(x) = ordered(t(x), False)
is_strictly_increasing(x) = ordered(t(x), True)
l2_normalize(x, axis=None, epsilon=1e-12, dim=None) = l2_normalize(t(x), dim if axis is None else axis, epsilon)
less(x, y) = Less(*same(x, y))
less_equal(x, y) = LessEqual(*same(x, y))
lgamma(x) = Lgamma(t(x))
log(x) = Log(t(x))
log1p(x) = Log1p(t(x))
log_sigmoid(x) = ops.log_sigmoid(t(x))
log_softmax(logits, axis=None) = ops.log_softmax(t(logits), last(axis))
logical_and(x, y) = LogicalAnd(t(x), t(y))
logical_not(x) = LogicalNot(t(x))
logical_or(x, y) = LogicalOr(t(x), t(y))
logical_xor(x, y) = NotEqual(t(x), t(y))
maximum(x, y) = Maximum(*same(x, y))
minimum(x, y) = Minimum(*same(x, y))
mod(x, y) = FloorMod(*same(x, y))
multiply(x, y) = Mul(*same(x, y))
multiply_no_nan(x, y) = MulNoNan(*same(x, y))
ndtri(x) = Ndtri(t(x))
negative(x) = Neg(t(x))
nextafter(x1, x2) = NextAfter(*same(x1, x2))
not_equal(x, y) = NotEqual(*same(x, y))
polygamma(a, x) = Polygamma(*same(a, x))
polyval(coeffs, x) = polyval(coeffs, t(x))
pow(x, y) = Pow(*same(x, y))
real(input) = Real(t(input))
reciprocal(x) = Reciprocal(t(x))
reciprocal_no_nan(x) = DivNoNan(*same(1, t(x)))
reduce_all(input_tensor, axis=None, keepdims=False) = reduced('All', t(input_tensor), axis, keepdims)
reduce_any(input_tensor, axis=None, keepdims=False) = reduced('Any', t(input_tensor), axis, keepdims)
reduce_euclidean_norm(input_tensor, axis=None, keepdims=False) = reduced('EuclideanNorm', t(input_tensor), axis, keepdims)
reduce_logsumexp(input_tensor, axis=None, keepdims=False) = ops.logsumexp(t(input_tensor), axis, keepdims)
reduce_max(input_tensor, axis=None, keepdims=False) = reduced('Max', t(input_tensor), axis, keepdims)
reduce_mean(input_tensor, axis=None, keepdims=False) = reduced('Mean', t(input_tensor), axis, keepdims)
reduce_min(input_tensor, axis=None, keepdims=False) = reduced('Min', t(input_tensor), axis, keepdims)
reduce_prod(input_tensor, axis=None, keepdims=False) = reduced('Prod', t(input_tensor), axis, keepdims)
reduce_std(input_tensor, axis=None, keepdims=False) = ops.std(inexact('reduce_std', t(input_tensor)), axis, keepdims)
reduce_sum(input_tensor, axis=None, keepdims=False) = reduced('Sum', t(input_tensor), axis, keepdims)
reduce_variance(input_tensor, axis=None, keepdims=False) = ops.var(inexact('reduce_variance', t(input_tensor)), axis, keepdims)
rint(x) = Rint(t(x))
round(x) = Round(t(x))
rsqrt(x) = Rsqrt(t(x))
scalar_mul(scalar, x) = Mul(*same(t(x), scalar))
segment_max(data, segment_ids) = SegmentMax(t(data), t(segment_ids))
segment_mean(data, segment_ids) = SegmentMean(t(data), t(segment_ids))
segment_min(data, segment_ids) = SegmentMin(t(data), t(segment_ids))
segment_prod(data, segment_ids) = SegmentProd(t(data), t(segment_ids))
segment_sum(data, segment_ids) = SegmentSum(t(data), t(segment_ids))
sigmoid(x) = Sigmoid(t(x))
sign(x) = Sign(t(x))
sin(x) = Sin(t(x))
sinh(x) = Sinh(t(x))
softmax(logits, axis=None) = ops.softmax(t(logits), last(axis))
softplus(features) = Softplus(t(features))
softsign(features) = Softsign(t(features))
sqrt(x) = Sqrt(t(x))
square(x) = Square(t(x))
squared_difference(x, y) = SquaredDifference(*same(x, y))
subtract(x, y) = Sub(*same(x, y))
tan(x) = Tan(t(x))
tanh(x) = Tanh(t(x))
top_k(input, k=1, sorted=True, index_type=int32) = top_k(t(input), k, sorted, index_type)
truediv(x, y) = quotient(*same(x, y))
unsorted_segment_max(data, segment_ids, num_segments) = UnsortedSegmentMax(t(data), t(segment_ids), ints(num_segments))
unsorted_segment_min(data, segment_ids, num_segments) = UnsortedSegmentMin(t(data), t(segment_ids), ints(num_segments))
unsorted_segment_prod(data, segment_ids, num_segments) = UnsortedSegmentProd(t(data), t(segment_ids), ints(num_segments))
unsorted_segment_sum(data, segment_ids, num_segments) = UnsortedSegmentSum(t(data), t(segment_ids), ints(num_segments))
xdivy(x, y) = Xdivy(*same(x, y))
xlog1py(x, y) = Xlog1py(*same(x, y))
xlogy(x, y) = Xlogy(*same(x, y))
zero_fraction(value) = zero_fraction(t(value))
zeta(x, q) = Zeta(*same(x, q))
approx_max_k(operand, k, reduction_dimension=-1, recall_target=0.95, reduction_input_size_override=-1, aggregate_to_topk=True) = largest(t(operand), k, reduction_dimension, 1)
approx_min_k(operand, k, reduction_dimension=-1, recall_target=0.95, reduction_input_size_override=-1, aggregate_to_topk=True) = largest(t(operand), k, reduction_dimension, -1)
bincount(arr, weights=None, minlength=None, maxlength=None, dtype=int32, axis=None, binary_output=False) = counted(arr, weights, minlength, maxlength, dtype, axis, binary_output)
erfcinv(x) = erfcinv(t(x))
lbeta(x) = lbeta(t(x))
unsorted_segment_mean(data, segment_ids, num_segments) = segment_quotient(t(data), t(segment_ids), num_segments, 1.0)
unsorted_segment_sqrt_n(data, segment_ids, num_segments) = segment_quotient(t(data), t(segment_ids), num_segments, 0.5)
"""

# Tensors: made, put together, taken apart, picked from.
ROWS[""] = """
argsort(values, axis=-1, direction='ASCENDING', stable=False) = sorted_places(t(values), axis, direction)
bitcast(input, type) = Bitcast(t(input), type=as_dtype(type))
boolean_mask(tensor, mask, axis=None) = boolean_mask(t(tensor), t(mask), axis)
broadcast_to(input, shape) = broadcast(t(input), shape)
broadcast_dynamic_shape(shape_x, shape_y) = BroadcastArgs(ints(shape_x), ints(shape_y))
cast(x, dtype) = cast(x, dtype)
clip_by_global_norm(t_list, clip_norm, use_norm=None) = clip_by_global_norm(t_list, clip_norm, use_norm)
clip_by_norm(t, clip_norm, axes=None) = clip_by_norm(tensor(t), clip_norm, axes)
clip_by_value(t, clip_value_min, clip_value_max) = clip_by_value(tensor(t), clip_value_min, clip_value_max)
complex(real, imag) = Complex(*same(real, imag))
concat(values, axis) = joined(values, axis)
constant(value, dtype=None, shape=None) = constant(value, dtype, shape)
convert_to_tensor(value, dtype=None, dtype_hint=None) = convert_to_tensor(value, dtype, dtype_hint)
dynamic_partition(data, partitions, num_partitions) = list(DynamicPartition(t(data), t(partitions), num_partitions=num_partitions))
dynamic_stitch(indices, data) = DynamicStitch(*[t(x) for x in indices], *[t(x) for x in data])
ensure_shape(x, shape) = ensured(t(x), shape)
expand_dims(input, axis) = ExpandDims(t(input), ints(axis))
eye(num_rows, num_columns=None, batch_shape=None, dtype=float32) = eye(num_rows, num_columns, batch_shape, dtype)
fill(dims, value) = broadcast(t(value), dims)
gather(params, indices, validate_indices=None, axis=None, batch_dims=0) = GatherV2(t(params), t(indices), ints(batch_dims if axis is None else axis), batch_dims=batch_dims)
gather_nd(params, indices, batch_dims=0) = gather_nd(t(params), t(indices), batch_dims)
histogram_fixed_width(values, value_range, nbins=100, dtype=int32) = HistogramFixedWidth(t(values), t(value_range), ints(nbins), dtype=dtype)
identity(input) = identity(input)
identity_n(input) = [identity(x) for x in input]
linspace(start, stop, num, axis=0) = linspace(start, stop, num, axis)
meshgrid(*args, indexing='xy') = list(ops.meshgrid(*[t(x) for x in args], indexing=indexing))
one_hot(indices, depth, on_value=None, off_value=None, axis=None, dtype=None) = one_hot(t(indices), depth, on_value, off_value, axis, dtype)
ones(shape, dtype=float32) = filled(shape, 1, dtype)
ones_like(input, dtype=None) = filled_like(input, 1, dtype)
pad(tensor, paddings, mode='CONSTANT', constant_values=0) = pad(t(tensor), paddings, mode, constant_values)
range(start, limit=None, delta=1, dtype=None) = arange(start, limit, delta, dtype)
rank(input) = Rank(t(input))
repeat(input, repeats, axis=None) = repeat(t(input), repeats, axis)
reshape(tensor, shape) = reshape(t(tensor), shape)
reverse(tensor, axis) = ReverseV2(t(tensor), ints(axis))
reverse_sequence(input, seq_lengths, seq_axis=None, batch_axis=None) = ReverseSequence(t(input), t(seq_lengths), seq_dim=seq_axis, batch_dim=batch_axis or 0)
roll(input, shift, axis) = Roll(t(input), ints(shift), ints(axis))
saturate_cast(value, dtype) = ops.saturate_cast(t(value), dtype)
scatter_nd(indices, updates, shape) = ScatterNd(t(indices), t(updates), ints(shape))
searchsorted(sorted_sequence, values, side='left', out_type=int32) = searchsorted(t(sorted_sequence), t(values), side, out_type)
sequence_mask(lengths, maxlen=None, dtype=bool) = sequence_mask(t(lengths), maxlen, dtype)
shape(input, out_type=int32) = shape(input, out_type)
shape_n(input, out_type=int32) = [shape(x, out_type) for x in input]
size(input, out_type=int32) = size(input, out_type)
slice(input_, begin, size) = Slice(t(input_), ints(begin), ints(size))
sort(values, axis=-1, direction='ASCENDING') = in_order(t(values), axis, direction)
space_to_batch_nd(input, block_shape, paddings) = SpaceToBatchND(t(input), ints(block_shape), ints(paddings))
space_to_batch(input, block_shape, paddings) = SpaceToBatchND(t(input), ints(block_shape), ints(paddings))
batch_to_space(input, block_shape, crops) = BatchToSpaceND(t(input), ints(block_shape), ints(crops))
split(value, num_or_size_splits, axis=0, num=None) = split(t(value), num_or_size_splits, axis)
squeeze(input, axis=None) = Squeeze(t(input), squeeze_dims=listed(axis))
stack(values, axis=0) = stacked(values, axis)
stop_gradient(input) = ops.stop_gradient(t(input))
strided_slice(input_, begin, end, strides=None, begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0) = StridedSlice(t(input_), ints(begin), ints(end), ints([1] * len(begin) if strides is None else strides), begin_mask=begin_mask, end_mask=end_mask, ellipsis_mask=ellipsis_mask, new_axis_mask=new_axis_mask, shrink_axis_mask=shrink_axis_mask)
tensor_scatter_nd_add(tensor, indices, updates) = TensorScatterAdd(t(tensor), t(indices), t(updates, tensor))
tensor_scatter_nd_max(tensor, indices, updates) = TensorScatterMax(t(tensor), t(indices), t(updates, tensor))
tensor_scatter_nd_min(tensor, indices, updates) = TensorScatterMin(t(tensor), t(indices), t(updates, tensor))
tensor_scatter_nd_sub(tensor, indices, updates) = TensorScatterSub(t(tensor), t(indices), t(updates, tensor))
tensor_scatter_nd_update(tensor, indices, updates) = TensorScatterUpdate(t(tensor), t(indices), t(updates, tensor))
tensordot(a, b, axes) = tensordot(a, b, plain(axes))
tile(input, multiples) = Tile(t(input), ints(multiples))
transpose(a, perm=None, conjugate=False) = transpose(t(a), perm, conjugate)
truncatediv(x, y) = TruncateDiv(*same(x, y))
truncatemod(x, y) = TruncateMod(*same(x, y))
unique(x, out_idx=int32) = uniques('Unique', t(x), out_idx)
unique_with_counts(x, out_idx=int32) = uniques('UniqueWithCounts', t(x), out_idx)
unravel_index(indices, dims) = stacked(ops.unravel_index(t(indices), tuple(plain(dims))), 0)
unstack(value, num=None, axis=0) = unstacked(t(value), num, axis)
where(condition, x=None, y=None) = where(t(condition), x, y)
zeros(shape, dtype=float32) = filled(shape, 0, dtype)
zeros_like(input, dtype=None) = filled_like(input, 0, dtype)
executing_eagerly() = executing_eagerly()
is_tensor(x) = is_tensor(x)
get_static_value(tensor, partial=False) = static_value(tensor)
no_op() = None
print = nacre.tf.running:print_tensors
group = nacre.tf.running:group
control_dependencies = nacre.tf.running:no_scope
device = nacre.tf.running:no_scope
init_scope = nacre.tf.running:no_scope
name_scope = nacre.core.names:name_scope
custom_gradient = nacre.ops:custom_gradient
recompute_grad = nacre.layers.base.remat:remat
function = nacre.tf.functions:function
GradientTape = nacre.core.tape:GradientTape
UnconnectedGradients = nacre.tf.running:UnconnectedGradients
Variable = nacre.tf.variable:Variable
VariableAggregation = nacre.tf.variable:VariableAggregation
VariableSynchronization = nacre.tf.variable:VariableSynchronization
Module = nacre.tf.module:Module
Tensor = nacre.tf.values:Tensor
TensorArray = nacre.tf.tensor_array:TensorArray
SparseTensor = nacre.tf.sparse_tensors:SparseTensor
SparseTensorSpec = nacre.tf.sparse_tensors:SparseTensorSpec
TensorShape = nacre.tf.shapes:TensorShape
TensorSpec = nacre.data:TensorSpec
RaggedTensor = nacre.data:Ragged
DType = nacre.tf.dtypes:DType
as_dtype = nacre.tf.dtypes:as_dtype
py_function = nacre.tf.running:py_function
numpy_function = nacre.tf.running:numpy_function
cond(pred, true_fn=None, false_fn=None) = one_of_two(t(pred), true_fn, false_fn)
case = nacre.tf.loops:case
switch_case(branch_index, branch_fns, default=None) = switch_case(branch_index, branch_fns, default)
while_loop = nacre.tf.loops:while_loop
map_fn = nacre.tf.loops:map_fn
vectorized_map(fn, elems, fallback_to_while_loop=True, warn=True) = ops.vectorized_map(fn, tensors(elems))
foldl = nacre.tf.loops:foldl
foldr = nacre.tf.loops:foldr
scan = nacre.tf.loops:scan
constant_initializer = nacre.initializers:Constant
ones_initializer = nacre.initializers:Ones
zeros_initializer = nacre.initializers:Zeros
random_normal_initializer = nacre.initializers:RandomNormal
random_uniform_initializer = nacre.initializers:RandomUniform
edit_distance = nacre.tf.more_values:edit_distance
IndexedSlices = nacre.tf.more_values:IndexedSlices
RaggedTensorSpec = nacre.tf.more_values:RaggedTensorSpec
TypeSpec = nacre.tf.more_values:TypeSpec
broadcast_static_shape = nacre.tf.more_values:broadcast_static_shape
eig(tensor) = eig(t(tensor))
eigvals(tensor) = eig(t(tensor))[0]
get_logger = nacre.tf.machine:get_logger
get_current_name_scope = nacre.core.names:current_path
grad_pass_through(f) = passing_gradients(f)
guarantee_const(input) = identity(input)
histogram_fixed_width_bins(values, value_range, nbins=100, dtype=int32) = bins_of(t(values), t(value_range), nbins, dtype)
inside_function() = not executing_eagerly()
is_symbolic_tensor(tensor) = is_symbolic(tensor)
make_ndarray = nacre.tf.more_values:make_ndarray
make_tensor_proto = nacre.tf.more_values:make_tensor_proto
matrix_square_root(input) = square_root(t(input))
parallel_stack(values) = stacked(values, 0)
realdiv(x, y) = quotient(*same(x, y))
timestamp = nacre.tf.more_values:timestamp
tuple = nacre.tf.more_values:together
type_spec_from_value = nacre.tf.more_values:type_spec_from_value
"""

ROWS["linalg"] = """
adjoint(matrix) = transpose(t(matrix), None, True, True)
band_part(input, num_lower, num_upper) = MatrixBandPart(t(input), ints(num_lower), ints(num_upper))
cholesky(input) = Cholesky(t(input))
cross(a, b) = Cross(*same(a, b))
det(input) = MatrixDeterminant(t(input))
diag(diagonal, k=0, num_rows=-1, num_cols=-1, padding_value=0, align='RIGHT_LEFT') = MatrixDiagV3(t(diagonal), ints(k), ints(num_rows), ints(num_cols), t(padding_value, diagonal), align=align)
diag_part(input, k=0, padding_value=0, align='RIGHT_LEFT') = MatrixDiagPartV3(t(input), ints(k), t(padding_value, input), align=align)
eigh(tensor) = SelfAdjointEigV2(t(tensor), compute_v=True)
eigvalsh(tensor) = SelfAdjointEigV2(t(tensor), compute_v=False)[0]
einsum(equation, *inputs, **kwargs) = einsum(equation, inputs, kwargs)
expm(input) = expm(t(input))
global_norm(t_list) = global_norm(t_list)
inv(input, adjoint=False) = MatrixInverse(t(input), adjoint=adjoint)
logdet(matrix) = ops.logdet(t(matrix))
lstsq(matrix, rhs, l2_regularizer=0.0, fast=True) = lstsq(t(matrix), t(rhs), l2_regularizer)
matmul(a, b, transpose_a=False, transpose_b=False, adjoint_a=False, adjoint_b=False, a_is_sparse=False, b_is_sparse=False, output_type=None) = matmul(*same(a, b), transpose_a, transpose_b, adjoint_a, adjoint_b, output_type)
matrix_rank(a, tol=None, validate_args=False) = ops.matrix_rank(t(a), tol)
matrix_transpose(a, conjugate=False) = transpose(t(a), None, conjugate, True)
matvec(a, b, transpose_a=False, adjoint_a=False, a_is_sparse=False, b_is_sparse=False) = matvec(*same(a, b), transpose_a, adjoint_a)
norm(tensor, ord='euclidean', axis=None, keepdims=None) = norm(t(tensor), ord, axis, keepdims)
pinv(a, rcond=None, validate_args=False) = ops.pinv(t(a), rcond)
qr(input, full_matrices=False) = Qr(t(input), full_matrices=full_matrices)
set_diag(input, diagonal, k=0, align='RIGHT_LEFT') = MatrixSetDiagV3(t(input), t(diagonal, input), ints(k), align=align)
slogdet(input) = LogMatrixDeterminant(t(input))
solve(matrix, rhs, adjoint=False) = MatrixSolve(*same(matrix, rhs), adjoint=adjoint)
svd(tensor, full_matrices=False, compute_uv=True) = svd(t(tensor), full_matrices, compute_uv)
tensor_diag(diagonal) = Diag(t(diagonal))
tensor_diag_part(input) = DiagPart(t(input))
trace(x) = trace(t(x))
triangular_solve(matrix, rhs, lower=True, adjoint=False) = MatrixTriangularSolve(*same(matrix, rhs), lower=lower, adjoint=adjoint)
cholesky_solve(chol, rhs) = cholesky_solve(chol, rhs)
eigh_tridiagonal(alpha, beta, eigvals_only=True, select='a', select_range=None, tol=None) = eigh_tridiagonal(alpha, beta, eigvals_only, select, select_range)
logm(input) = logarithm(t(input))
lu(input, output_idx_type=int32) = lu(t(input), output_idx_type)
lu_matrix_inverse(lower_upper, perm, validate_args=False) = lu_matrix_inverse(t(lower_upper), t(perm))
lu_reconstruct(lower_upper, perm, validate_args=False) = lu_reconstruct(t(lower_upper), t(perm))
lu_solve(lower_upper, perm, rhs, validate_args=False) = lu_solve(t(lower_upper), t(perm), t(rhs))
normalize(tensor, ord='euclidean', axis=None) = normalize(t(tensor), ord, axis)
sqrtm(input) = square_root(t(input))
tridiagonal_matmul(diagonals, rhs, diagonals_format='compact') = tridiagonal_matmul(diagonals, t(rhs), diagonals_format)
tridiagonal_solve(diagonals, rhs, diagonals_format='compact', transpose_rhs=False, conjugate_rhs=False, partial_pivoting=True, perturb_singular=False) = tridiagonal_solve(diagonals, rhs, diagonals_format, transpose_rhs, conjugate_rhs)
"""

ROWS["nn"] = """
avg_pool(input, ksize, strides, padding, data_format=None) = pool('AvgPool', t(input), ksize, strides, padding, data_format)
avg_pool1d(input, ksize, strides, padding, data_format='NWC') = pool('AvgPool', t(input), ksize, strides, padding, data_format)
avg_pool2d(input, ksize, strides, padding, data_format='NHWC') = pool('AvgPool', t(input), ksize, strides, padding, data_format)
avg_pool3d(input, ksize, strides, padding, data_format='NDHWC') = pool('AvgPool', t(input), ksize, strides, padding, data_format)
batch_normalization(x, mean, variance, offset, scale, variance_epsilon) = batch_normalization(t(x), mean, variance, offset, scale, variance_epsilon)
bias_add(value, bias, data_format=None) = BiasAdd(*same(value, bias), data_format=layout(data_format))
conv1d(input, filters, stride, padding, data_format='NWC', dilations=None) = convolution(t(input), t(filters), stride, padding, data_format, dilations, 1)
conv2d(input, filters, strides, padding, data_format='NHWC', dilations=None) = convolution(t(input), t(filters), strides, padding, data_format, dilations, 2)
conv3d(input, filters, strides, padding, data_format='NDHWC', dilations=None) = convolution(t(input), t(filters), strides, padding, data_format, dilations, 3)
conv2d_transpose(input, filters, output_shape, strides, padding='SAME', data_format='NHWC', dilations=None) = transposed_convolution(t(input), t(filters), output_shape, strides, padding, data_format, dilations)
convolution(input, filters, strides=None, padding='VALID', data_format=None, dilations=None) = convolution(t(input), t(filters), strides, padding, data_format, dilations, None)
crelu(features, axis=-1) = joined([Relu(t(features)), Relu(Neg(t(features)))], axis)
depth_to_space(input, block_size, data_format='NHWC') = DepthToSpace(t(input), block_size=block_size, data_format=data_format)
depthwise_conv2d(input, filter, strides, padding, data_format=None, dilations=None) = depthwise(t(input), t(filter), strides, padding, data_format, dilations)
dropout(x, rate, noise_shape=None, seed=None) = dropout(t(x), rate, noise_shape, seed)
elu(features) = Elu(t(features))
embedding_lookup(params, ids, max_norm=None) = embedding_lookup(params, t(ids), max_norm)
gelu(features, approximate=False) = ops.gelu(t(features), approximate)
l2_loss(t) = L2Loss(tensor(t))
leaky_relu(features, alpha=0.2) = LeakyRelu(t(features), alpha=float(alpha))
local_response_normalization(input, depth_radius=5, bias=1, alpha=1, beta=0.5) = LRN(t(input), depth_radius=depth_radius, bias=bias, alpha=alpha, beta=beta)
lrn(input, depth_radius=5, bias=1, alpha=1, beta=0.5) = LRN(t(input), depth_radius=depth_radius, bias=bias, alpha=alpha, beta=beta)
max_pool(input, ksize, strides, padding, data_format=None) = pool('MaxPool', t(input), ksize, strides, padding, data_format)
max_pool1d(input, ksize, strides, padding, data_format='NWC') = pool('MaxPool', t(input), ksize, strides, padding, data_format)
max_pool2d(input, ksize, strides, padding, data_format='NHWC') = pool('MaxPool', t(input), ksize, strides, padding, data_format)
max_pool3d(input, ksize, strides, padding, data_format='NDHWC') = pool('MaxPool', t(input), ksize, strides, padding, data_format)
moments(x, axes, shift=None, keepdims=False) = moments(t(x), axes, keepdims)
relu(features) = ops.relu(t(features))
relu6(features) = ops.relu6(t(features))
selu(features) = Selu(t(features))
sigmoid_cross_entropy_with_logits(labels=None, logits=None) = sigmoid_cross_entropy(labels, logits)
silu(features, beta=1.0) = swish(t(features), beta)
softmax_cross_entropy_with_logits(labels, logits, axis=-1) = softmax_cross_entropy(labels, logits, axis)
space_to_depth(input, block_size, data_format='NHWC') = SpaceToDepth(t(input), block_size=block_size, data_format=data_format)
sparse_softmax_cross_entropy_with_logits(labels, logits) = SparseSoftmaxCrossEntropyWithLogits(t(logits), t(labels))[0]
swish(features, beta=1.0) = swish(t(features), beta)
weighted_cross_entropy_with_logits(labels, logits, pos_weight) = weighted_cross_entropy(labels, logits, pos_weight)
ctc_loss(labels, logits, label_length, logit_length, logits_time_major=True, unique=None, blank_index=None) = ctc_loss(t(labels), t(logits), t(label_length), t(logit_length), logits_time_major, blank_index)
atrous_conv2d(value, filters, rate, padding) = convolution(t(value), t(filters), 1, padding, 'NHWC', rate, 2)
compute_average_loss(per_example_loss, sample_weight=None, global_batch_size=None) = average_loss(per_example_loss, sample_weight, global_batch_size)
conv1d_transpose(input, filters, output_shape, strides, padding='SAME', data_format='NWC', dilations=None) = transposed_of_rank(t(input), t(filters), output_shape, strides, padding, data_format, dilations, 1)
conv3d_transpose(input, filters, output_shape, strides, padding='SAME', data_format='NDHWC', dilations=None) = transposed_of_rank(t(input), t(filters), output_shape, strides, padding, data_format, dilations, 3)
conv_transpose(input, filters, output_shape, strides, padding='SAME', data_format=None, dilations=None) = transposed_of_rank(t(input), t(filters), output_shape, strides, padding, data_format, dilations, None)
ctc_beam_search_decoder(inputs, sequence_length, beam_width=100, top_paths=1) = ctc_decoded(t(inputs), sequence_length, 'beam_search', beam_width, top_paths, True, None)
ctc_greedy_decoder(inputs, sequence_length, merge_repeated=True, blank_index=None) = ctc_decoded(t(inputs), sequence_length, 'greedy', 1, 1, merge_repeated, blank_index)
dilation2d(input, filters, strides, padding, data_format, dilations) = dilation(t(input), t(filters), strides, padding, dilations)
embedding_lookup_sparse(params, sp_ids, sp_weights, combiner=None, max_norm=None, allow_fast_lookup=False) = embedding_lookup_sparse(params, sp_ids, sp_weights, combiner, max_norm)
erosion2d(value, filters, strides, padding, data_format, dilations) = erosion(t(value), t(filters), strides, padding, dilations)
log_poisson_loss(targets, log_input, compute_full_loss=False) = poisson_loss(targets, log_input, compute_full_loss)
max_pool_with_argmax(input, ksize, strides, padding, data_format='NHWC', output_dtype=int64, include_batch_in_index=False) = max_pool_with_places(t(input), ksize, strides, padding, output_dtype, include_batch_in_index)
nce_loss = nacre.tf.sampling:nce_loss
normalize_moments(counts, mean_ss, variance_ss, shift) = normalize_moments(t(counts), t(mean_ss), t(variance_ss), shift)
pool(input, window_shape, pooling_type, strides=None, padding='VALID', data_format=None, dilations=None) = pooled(t(input), window_shape, pooling_type, strides, padding, data_format, dilations)
safe_embedding_lookup_sparse(embedding_weights, sparse_ids, sparse_weights=None, combiner='mean', default_id=None, max_norm=None, allow_fast_lookup=False) = safe_embedding_lookup_sparse(embedding_weights, sparse_ids, sparse_weights, combiner, default_id, max_norm)
sampled_softmax_loss = nacre.tf.sampling:sampled_softmax_loss
scale_regularization_loss(regularization_loss) = reduced('Sum', t(regularization_loss), None, False)
separable_conv2d(input, depthwise_filter, pointwise_filter, strides, padding, data_format=None, dilations=None) = separable(t(input), t(depthwise_filter), t(pointwise_filter), strides, padding, data_format, dilations)
sufficient_statistics(x, axes, shift=None, keepdims=False) = sufficient_statistics(t(x), axes, shift, keepdims)
weighted_moments(x, axes, frequency_weights, keepdims=False) = weighted_moments(x, axes, frequency_weights, keepdims)
"""

ROWS["random"] = """
Generator = nacre.tf.randoms:Generator
categorical(logits, num_samples, dtype=None, seed=None) = cast(random.categorical(t(logits), num_samples, seed=op_seed(seed)), 'int64' if dtype is None else dtype)
gamma(shape, alpha, beta=None, dtype=float32, seed=None) = gamma(shape, alpha, beta, dtype, seed)
normal(shape, mean=0.0, stddev=1.0, dtype=float32, seed=None) = normal(shape, mean, stddev, dtype, seed)
set_seed(seed) = set_seed(seed)
shuffle(value, seed=None) = shuffled(t(value), op_seed(seed))
stateless_normal(shape, seed, mean=0.0, stddev=1.0, dtype=float32, alg='auto_select') = stateless_normal(shape, seed, mean, stddev, dtype, alg)
stateless_truncated_normal(shape, seed, mean=0.0, stddev=1.0, dtype=float32, alg='auto_select') = stateless_truncated_normal(shape, seed, mean, stddev, dtype, alg)
stateless_uniform(shape, seed, minval=0, maxval=None, dtype=float32, alg='auto_select') = stateless_uniform(shape, seed, minval, maxval, dtype, alg)
truncated_normal(shape, mean=0.0, stddev=1.0, dtype=float32, seed=None) = truncated_normal(shape, mean, stddev, dtype, seed)
uniform(shape, minval=0, maxval=None, dtype=float32, seed=None) = uniform(shape, minval, maxval, dtype, seed)
Algorithm = nacre.tf.randoms:Algorithm
create_rng_state = nacre.tf.randoms:create_rng_state
fold_in(seed, data, alg='auto_select') = fold_in(seed, data)
get_global_generator = nacre.tf.randoms:get_global_generator
log_uniform_candidate_sampler(true_classes, num_true, num_sampled, unique, range_max, seed=None) = log_uniform(true_classes, num_sampled, unique, range_max, seed)
poisson(shape, lam, dtype=float32, seed=None) = poisson(shape, lam, dtype, seed)
set_global_generator = nacre.tf.randoms:set_global_generator
split(seed, num=2, alg='auto_select') = split_seed(seed, num)
stateless_binomial(shape, seed, counts, probs, output_dtype=int32) = stateless_binomial(shape, seed, counts, probs, output_dtype)
stateless_categorical(logits, num_samples, seed, dtype=int64) = stateless_categorical(t(logits), num_samples, seed, dtype)
stateless_gamma(shape, seed, alpha, beta=None, dtype=float32) = stateless_gamma(shape, seed, alpha, beta, dtype)
stateless_poisson(shape, seed, lam, dtype=int32) = stateless_poisson(shape, seed, lam, dtype)
uniform_candidate_sampler(true_classes, num_true, num_sampled, unique, range_max, seed=None) = sample_uniform(true_classes, num_sampled, unique, range_max, seed)
"""

ROWS["bitwise"] = """
bitwise_and(x, y) = BitwiseAnd(*same(x, y))
bitwise_or(x, y) = BitwiseOr(*same(x, y))
bitwise_xor(x, y) = BitwiseXor(*same(x, y))
invert(x) = Invert(t(x))
left_shift(x, y) = LeftShift(*same(x, y))
right_shift(x, y) = RightShift(*same(x, y))
"""

ROWS["strings"] = """
as_string(input, precision=-1, scientific=False, shortest=False, width=-1, fill='') = AsString(t(input), precision=precision, scientific=scientific, shortest=shortest, width=width, fill=fill)
bytes_split = nacre.tf.texts:bytes_split
join(inputs, separator='') = StringJoin(*[t(x) for x in inputs], separator=separator)
length(input, unit='BYTE') = StringLength(t(input), unit=unit)
lower(input, encoding='') = StringLower(t(input), encoding=encoding)
reduce_join(inputs, axis=None, keepdims=False, separator='') = ReduceJoin(t(inputs), axes(inputs, axis), keep_dims=keepdims, separator=separator)
regex_full_match(input, pattern) = RegexFullMatch(t(input), t(pattern))
regex_replace(input, pattern, rewrite, replace_global=True) = RegexReplace(t(input), t(pattern), t(rewrite), replace_global=replace_global)
split = nacre.tf.texts:split
strip(input) = StringStrip(t(input))
substr(input, pos, len, unit='BYTE') = Substr(t(input), t(pos), t(len), unit=unit)
to_hash_bucket_fast(input, num_buckets) = StringToHashBucketFast(t(input), num_buckets=num_buckets)
to_number(input, out_type=float32) = StringToNumber(t(input), out_type=as_dtype(out_type))
unicode_split = nacre.tf.texts:unicode_split
upper(input, encoding='') = StringUpper(t(input), encoding=encoding)
format = nacre.tf.texts:text_format
ngrams = nacre.tf.texts:ngrams
to_hash_bucket_strong(input, num_buckets, key) = StringToHashBucketStrong(t(input), num_buckets=num_buckets, key=key)
unicode_decode = nacre.tf.texts:unicode_decode
unicode_decode_with_offsets = nacre.tf.texts:unicode_decode_with_offsets
unicode_encode = nacre.tf.texts:unicode_encode
unicode_script = nacre.tf.texts:unicode_script
unicode_split_with_offsets = nacre.tf.texts:unicode_split_with_offsets
unicode_transcode(input, input_encoding, output_encoding, errors='replace', replacement_char=65533, replace_control_characters=False) = UnicodeTranscode(t(input), input_encoding=input_encoding, output_encoding=output_encoding, errors=errors, replacement_char=replacement_char, replace_control_characters=replace_control_characters)
unsorted_segment_join(inputs, segment_ids, num_segments, separator='') = UnsortedSegmentJoin(t(inputs), t(segment_ids), ints(num_segments), separator=separator)
"""

ROWS["ragged"] = """
constant = nacre.tf.texts:ragged_constant
boolean_mask = nacre.tf.ragged_rows:ragged_boolean_mask
map_flat_values = nacre.tf.ragged_rows:map_flat_values
range = nacre.tf.ragged_rows:ragged_range
row_splits_to_segment_ids = nacre.tf.ragged_rows:row_splits_to_segment_ids
segment_ids_to_row_splits = nacre.tf.ragged_rows:segment_ids_to_row_splits
stack = nacre.tf.ragged_rows:ragged_stack
stack_dynamic_partitions = nacre.tf.ragged_rows:stack_dynamic_partitions
"""

ROWS["image"] = """
ResizeMethod = nacre.tf.pictures:ResizeMethod
adjust_brightness(image, delta) = brightness(t(image), delta)
adjust_contrast(images, contrast_factor) = contrast(t(images), contrast_factor)
adjust_gamma(image, gamma=1, gain=1) = exponentiated(t(image), gamma, gain)
adjust_hue(image, delta) = hue(t(image), delta)
adjust_jpeg_quality(image, jpeg_quality) = through_jpeg(t(image), jpeg_quality)
draw_bounding_boxes(images, boxes, colors) = drawn_boxes(t(images), t(boxes), colors)
image_gradients(image) = slopes(t(image))
combined_non_max_suppression(boxes, scores, max_output_size_per_class, max_total_size, iou_threshold=0.5, score_threshold=float('-inf'), pad_per_class=False, clip_boxes=True) = kept_of_classes(t(boxes), t(scores), max_output_size_per_class, max_total_size, iou_threshold, score_threshold, pad_per_class, clip_boxes)
non_max_suppression_with_scores(boxes, scores, max_output_size, iou_threshold=0.5, score_threshold=float('-inf'), soft_nms_sigma=0.0) = overlaps(t(boxes), t(scores), max_output_size, iou_threshold, score_threshold, soft_nms_sigma)
random_jpeg_quality(image, min_jpeg_quality, max_jpeg_quality, seed=None) = jpeg_quality_by_chance(t(image), min_jpeg_quality, max_jpeg_quality, seed)
rgb_to_yiq(images) = recoloured(t(images), 'rgb_to_yiq')
rgb_to_yuv(images) = recoloured(t(images), 'rgb_to_yuv')
sobel_edges(image) = sobel_edges(t(image))
ssim(img1, img2, max_val, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03, return_index_map=False) = likeness(t(img1), t(img2), max_val, filter_size, filter_sigma, k1, k2, return_index_map)
stateless_random_brightness(image, max_delta, seed) = by_seed('brightness_by_chance', t(image), seed, max_delta)
stateless_random_contrast(image, lower, upper, seed) = by_seed('contrast_by_chance', t(image), seed, lower, upper)
stateless_random_crop(value, size, seed) = by_seed('cut_by_chance', t(value), seed, size)
stateless_random_flip_left_right(image, seed) = by_seed('flipped_by_chance', t(image), seed, -2)
stateless_random_flip_up_down(image, seed) = by_seed('flipped_by_chance', t(image), seed, -3)
stateless_random_hue(image, max_delta, seed) = by_seed('hue_by_chance', t(image), seed, max_delta)
stateless_random_saturation(image, lower, upper, seed=None) = by_seed('saturation_by_chance', t(image), seed, lower, upper)
yiq_to_rgb(images) = recoloured(t(images), 'yiq_to_rgb')
yuv_to_rgb(images) = recoloured(t(images), 'yuv_to_rgb')
adjust_saturation(image, saturation_factor) = saturation(t(image), saturation_factor)
central_crop(image, central_fraction) = middle(t(image), central_fraction)
convert_image_dtype(image, dtype, saturate=False) = converted(t(image), dtype, saturate)
crop_and_resize(image, boxes, box_indices, crop_size, method='bilinear', extrapolation_value=0.0) = CropAndResize(t(image), t(boxes), t(box_indices), ints(crop_size), method=method, extrapolation_value=float(extrapolation_value))
crop_to_bounding_box(image, offset_height, offset_width, target_height, target_width) = cut(t(image), offset_height, offset_width, target_height, target_width)
decode_and_crop_jpeg(contents, crop_window, channels=0, ratio=1) = decode_and_crop_jpeg(contents, crop_window, channels)
extract_jpeg_shape(contents, output_type=int32) = jpeg_shape(contents, output_type)
decode_bmp(contents, channels=0) = DecodeBmp(t(contents), channels=channels)
decode_gif(contents) = DecodeGif(t(contents))
decode_image(contents, channels=None, dtype=uint8, expand_animations=True) = DecodeImage(t(contents), channels=channels or 0, dtype=as_dtype(dtype), expand_animations=expand_animations)
decode_jpeg(contents, channels=0, ratio=1) = DecodeJpeg(t(contents), channels=channels, ratio=ratio)
decode_png(contents, channels=0, dtype=uint8) = DecodePng(t(contents), channels=channels, dtype=as_dtype(dtype))
encode_jpeg(image, format='', quality=95) = EncodeJpeg(t(image), quality=quality)
encode_png(image, compression=-1) = EncodePng(t(image))
extract_patches(images, sizes, strides, rates, padding) = patches(t(images), sizes, strides, rates, padding)
flip_left_right(image) = flipped(t(image), -2)
flip_up_down(image) = flipped(t(image), -3)
grayscale_to_rgb(images) = repeat(t(images), 3, -1)
hsv_to_rgb(images) = HSVToRGB(t(images))
is_jpeg = nacre.tf.files:is_jpeg
non_max_suppression(boxes, scores, max_output_size, iou_threshold=0.5, score_threshold=float('-inf')) = NonMaxSuppressionV3(t(boxes), t(scores), ints(max_output_size), t(iou_threshold), t(score_threshold))
pad_to_bounding_box(image, offset_height, offset_width, target_height, target_width) = framed(t(image), offset_height, offset_width, target_height, target_width)
per_image_standardization(image) = standardized(t(image))
psnr(a, b, max_val) = peak_ratio(t(a), t(b), max_val)
random_brightness(image, max_delta, seed=None) = brightness_by_chance(t(image), max_delta, seed)
random_contrast(image, lower, upper, seed=None) = contrast_by_chance(t(image), lower, upper, seed)
random_crop(value, size, seed=None) = cut_by_chance(t(value), size, seed)
random_flip_left_right(image, seed=None) = flipped_by_chance(t(image), -2, seed)
random_flip_up_down(image, seed=None) = flipped_by_chance(t(image), -3, seed)
random_hue(image, max_delta, seed=None) = hue_by_chance(t(image), max_delta, seed)
random_saturation(image, lower, upper, seed=None) = saturation_by_chance(t(image), lower, upper, seed)
resize(images, size, method='bilinear', preserve_aspect_ratio=False, antialias=False) = resize(t(images), size, method, preserve_aspect_ratio, antialias)
resize_with_crop_or_pad(image, target_height, target_width) = cut_or_framed(t(image), target_height, target_width)
resize_with_pad(image, target_height, target_width, method='bilinear', antialias=False) = resized_with_pad(t(image), target_height, target_width, method, antialias)
rgb_to_grayscale(images) = gray(t(images))
rgb_to_hsv(images) = RGBToHSV(t(images))
rot90(image, k=1) = turned(t(image), k)
total_variation(images) = variation(t(images))
transpose(image) = transposed(t(image))
"""

ROWS["io"] = """
TFRecordOptions = nacre.tf.records:TFRecordOptions
TFRecordWriter = nacre.data:TFRecordWriter
FixedLenFeature = nacre.data:FixedLenFeature
FixedLenSequenceFeature = nacre.data:FixedLenSequenceFeature
VarLenFeature = nacre.data:VarLenFeature
SparseFeature = nacre.tf.sparse_bytes:SparseFeature
RaggedFeature = nacre.tf.sparse_bytes:RaggedFeature
parse_example = nacre.tf.sparse_bytes:parse_example
parse_single_example = nacre.tf.sparse_bytes:parse_single_example
parse_single_sequence_example = nacre.tf.sparse_bytes:parse_single_sequence_example
deserialize_many_sparse = nacre.tf.sparse_bytes:deserialize_many_sparse
serialize_many_sparse = nacre.tf.sparse_bytes:serialize_many_sparse
serialize_sparse = nacre.tf.sparse_bytes:serialize_sparse
decode_compressed = nacre.tf.bytes_of_tensors:decode_compressed
decode_csv = nacre.tf.bytes_of_tensors:decode_csv
decode_json_example = nacre.tf.bytes_of_tensors:decode_json_example
parse_tensor = nacre.tf.bytes_of_tensors:parse_tensor
serialize_tensor = nacre.tf.bytes_of_tensors:serialize_tensor
decode_base64(input) = DecodeBase64(t(input))
encode_base64(input, pad=False) = EncodeBase64(t(input), pad=pad)
decode_raw(input_bytes, out_type, little_endian=True) = DecodeRaw(t(input_bytes), out_type=as_dtype(out_type), little_endian=little_endian)
is_jpeg = nacre.tf.files:is_jpeg
matching_files = nacre.tf.files:matching_files
read_file = nacre.tf.files:read_file
write_file = nacre.tf.files:write_file
"""

ROWS["summary"] = """
trace_export = nacre.tf.traces:trace_export
trace_off = nacre.tf.traces:trace_off
trace_on = nacre.tf.traces:trace_on
"""

ROWS["summary.experimental"] = """
write_raw_pb = nacre.tf.raw_summaries:write_raw_pb
"""

ROWS["tfds"] = """
as_dataframe = nacre.tf.tfds_showing:as_dataframe
benchmark = nacre.tf.tfds_showing:benchmark
show_examples = nacre.tf.tfds_showing:show_examples
"""

ROWS["tfds.visualization"] = """
show_examples = nacre.tf.tfds_showing:show_examples
"""

ROWS["compat.v1.gfile"] = """
Copy = nacre.tf.files:copy
DeleteRecursively = nacre.tf.files:rmtree
Exists = nacre.tf.files:exists
FastGFile = nacre.tf.files:GFile
GFile = nacre.tf.files:GFile
Glob = nacre.tf.files:glob
IsDirectory = nacre.tf.files:isdir
ListDirectory = nacre.tf.files:listdir
MakeDirs = nacre.tf.files:makedirs
MkDir = nacre.tf.files:mkdir
Open = nacre.tf.files:GFile
Remove = nacre.tf.files:remove
Rename = nacre.tf.files:rename
Stat = nacre.tf.files:stat
Walk = nacre.tf.files:walk
"""

ROWS["io.gfile"] = """
GFile = nacre.tf.files:GFile
copy = nacre.tf.files:copy
exists = nacre.tf.files:exists
glob = nacre.tf.files:glob
isdir = nacre.tf.files:isdir
join = nacre.tf.files:join
listdir = nacre.tf.files:listdir
makedirs = nacre.tf.files:makedirs
mkdir = nacre.tf.files:mkdir
remove = nacre.tf.files:remove
rename = nacre.tf.files:rename
rmtree = nacre.tf.files:rmtree
stat = nacre.tf.files:stat
walk = nacre.tf.files:walk
"""

ROWS["config"] = """
PhysicalDevice = nacre.tf.machine:PhysicalDevice
experimental_run_functions_eagerly = nacre.tf.machine:run_functions_eagerly
functions_run_eagerly = nacre.tf.machine:functions_run_eagerly
get_visible_devices = nacre.tf.machine:get_visible_devices
list_logical_devices = nacre.tf.machine:list_logical_devices
list_physical_devices = nacre.tf.machine:list_physical_devices
run_functions_eagerly = nacre.tf.machine:run_functions_eagerly
set_soft_device_placement = nacre.tf.machine:accepted
set_visible_devices = nacre.tf.machine:accepted
LogicalDevice = nacre.tf.machine:PhysicalDevice
LogicalDeviceConfiguration = nacre.tf.machine:LogicalDeviceConfiguration
experimental_connect_to_cluster = nacre.tf.machine:accepted
experimental_connect_to_host = nacre.tf.machine:accepted
experimental_functions_run_eagerly = nacre.tf.machine:functions_run_eagerly
get_logical_device_configuration = nacre.tf.machine:get_logical_device_configuration
get_soft_device_placement = nacre.tf.machine:always
set_logical_device_configuration = nacre.tf.machine:set_logical_device_configuration
"""

ROWS["config.experimental"] = """
enable_op_determinism = nacre.tf.machine:enable_op_determinism
enable_tensor_float_32_execution = nacre.tf.machine:accepted
get_visible_devices = nacre.tf.machine:get_visible_devices
list_logical_devices = nacre.tf.machine:list_logical_devices
list_physical_devices = nacre.tf.machine:list_physical_devices
set_memory_growth = nacre.tf.machine:accepted
set_visible_devices = nacre.tf.machine:accepted
VirtualDeviceConfiguration = nacre.tf.machine:LogicalDeviceConfiguration
disable_mlir_bridge = nacre.tf.machine:accepted
enable_mlir_bridge = nacre.tf.machine:accepted
get_device_details = nacre.tf.machine:get_device_details
get_memory_growth = nacre.tf.machine:get_memory_growth
get_memory_info = nacre.tf.machine:get_memory_info
get_synchronous_execution = nacre.tf.machine:always
get_virtual_device_configuration = nacre.tf.machine:get_logical_device_configuration
reset_memory_stats = nacre.tf.machine:accepted
set_device_policy = nacre.tf.machine:accepted
set_synchronous_execution = nacre.tf.machine:accepted
set_virtual_device_configuration = nacre.tf.machine:set_logical_device_configuration
tensor_float_32_execution_enabled = nacre.tf.machine:never
"""

ROWS["config.threading"] = """
set_inter_op_parallelism_threads = nacre.tf.machine:accepted
set_intra_op_parallelism_threads = nacre.tf.machine:accepted
get_inter_op_parallelism_threads = nacre.tf.machine:number_zero
get_intra_op_parallelism_threads = nacre.tf.machine:number_zero
"""

ROWS["config.optimizer"] = """
set_jit = nacre.tf.machine:accepted
set_experimental_options = nacre.tf.machine:accepted
get_experimental_options = nacre.tf.machine:no_options
get_jit = nacre.tf.machine:always
"""

ROWS["test"] = """
gpu_device_name = nacre.tf.machine:gpu_device_name
is_built_with_cuda = nacre.tf.machine:is_built_with_cuda
is_built_with_xla = nacre.tf.machine:is_built_with_xla
is_gpu_available = nacre.tf.machine:is_gpu_available
TestCase = nacre.tf.unit_tests:TestCase
compute_gradient = nacre.tf.unit_tests:compute_gradient
is_built_with_gpu_support = nacre.tf.machine:is_built_with_cuda
is_built_with_rocm = nacre.tf.machine:is_built_with_rocm
is_cpu_target_available = nacre.tf.machine:always
main = nacre.tf.unit_tests:main
"""

ROWS["debugging"] = """
Assert(condition, data, summarize=None) = assert_true(condition, data)
assert_equal(x, y, message=None, summarize=None) = compared('assert_equal', np.equal, x, y, message)
assert_greater(x, y, message=None, summarize=None) = compared('assert_greater', np.greater, x, y, message)
assert_greater_equal(x, y, message=None, summarize=None) = compared('assert_greater_equal', np.greater_equal, x, y, message)
assert_less(x, y, message=None, summarize=None) = compared('assert_less', np.less, x, y, message)
assert_less_equal(x, y, message=None, summarize=None) = compared('assert_less_equal', np.less_equal, x, y, message)
assert_none_equal(x, y, summarize=None, message=None) = compared('assert_none_equal', np.not_equal, x, y, message)
assert_near(x, y, rtol=None, atol=None, message=None, summarize=None) = compared('assert_near', lambda a, b: abs(a - b) <= (1e-5 if atol is None else atol) + (1e-5 if rtol is None else rtol) * abs(b), x, y, message)
assert_negative(x, message=None, summarize=None) = compared('assert_negative', np.less, x, 0, message)
assert_non_negative(x, message=None, summarize=None) = compared('assert_non_negative', np.greater_equal, x, 0, message)
assert_non_positive(x, message=None, summarize=None) = compared('assert_non_positive', np.less_equal, x, 0, message)
assert_positive(x, message=None, summarize=None) = compared('assert_positive', np.greater, x, 0, message)
assert_integer(x, message=None) = assert_integer(x, message)
assert_rank(x, rank, message=None) = assert_rank(x, rank, message)
assert_rank_at_least(x, rank, message=None) = assert_rank_at_least(x, rank, message)
assert_rank_in(x, ranks, message=None) = assert_rank(x, ranks, message)
assert_scalar(tensor, message=None) = assert_rank(tensor, 0, message)
assert_shapes(shapes, data=None, summarize=None, message=None) = assert_shapes(shapes, message)
assert_type(tensor, tf_type, message=None) = assert_type(tensor, tf_type, message)
check_numerics(tensor, message) = check_numerics(tensor, message)
assert_proper_iterable = nacre.tf.more_values:assert_proper_iterable
assert_same_float_dtype = nacre.tf.more_values:same_float_dtype
disable_check_numerics = nacre.tf.machine:disable_check_numerics
disable_traceback_filtering = nacre.tf.machine:accepted
enable_check_numerics = nacre.tf.machine:enable_check_numerics
enable_traceback_filtering = nacre.tf.machine:accepted
get_log_device_placement = nacre.tf.machine:never
is_numeric_tensor = nacre.tf.more_values:is_numeric_tensor
is_traceback_filtering_enabled = nacre.tf.machine:always
set_log_device_placement = nacre.tf.machine:accepted
"""

ROWS["signal"] = """
dct(input, type=2, n=None, axis=-1, norm=None) = dct(t(input), type, n, axis, norm)
fft(input) = FFT(t(input))
fft2d(input) = FFT2D(t(input))
fft3d(input) = FFT3D(t(input))
fftshift(x, axes=None) = shifted(t(x), axes, False)
frame(signal, frame_length, frame_step, pad_end=False, pad_value=0, axis=-1) = framed_signal(t(signal), frame_length, frame_step, pad_end, pad_value, axis)
hamming_window = nacre.tf.signals:hamming_window
hann_window = nacre.tf.signals:hann_window
idct(input, type=2, n=None, axis=-1, norm=None) = idct(t(input), type, n, axis, norm)
ifft(input) = IFFT(t(input))
ifft2d(input) = IFFT2D(t(input))
ifft3d(input) = IFFT3D(t(input))
ifftshift(x, axes=None) = shifted(t(x), axes, True)
inverse_stft(stfts, frame_length, frame_step, fft_length=None, window_fn=hann_window) = inverse_stft(t(stfts), frame_length, frame_step, fft_length, window_fn)
inverse_stft_window_fn = nacre.tf.signals:inverse_stft_window_fn
irfft(input_tensor, fft_length=None) = inverse_real_fft(t(input_tensor), fft_length, 1)
irfft2d(input_tensor, fft_length=None) = inverse_real_fft(t(input_tensor), fft_length, 2)
irfft3d(input_tensor, fft_length=None) = inverse_real_fft(t(input_tensor), fft_length, 3)
kaiser_window(window_length, beta=12.0, dtype=float32) = kaiser(window_length, beta, dtype)
linear_to_mel_weight_matrix(num_mel_bins=20, num_spectrogram_bins=129, sample_rate=8000, lower_edge_hertz=125.0, upper_edge_hertz=3800.0, dtype=float32) = mel_weights(num_mel_bins, num_spectrogram_bins, sample_rate, lower_edge_hertz, upper_edge_hertz, dtype)
mfccs_from_log_mel_spectrograms(log_mel_spectrograms) = mfccs(t(log_mel_spectrograms))
overlap_and_add(signal, frame_step) = overlap_and_add(t(signal), frame_step)
rfft(input_tensor, fft_length=None) = real_fft(convert_to_tensor(input_tensor, None, 'float32'), fft_length, 1)
rfft2d(input_tensor, fft_length=None) = real_fft(convert_to_tensor(input_tensor, None, 'float32'), fft_length, 2)
rfft3d(input_tensor, fft_length=None) = real_fft(convert_to_tensor(input_tensor, None, 'float32'), fft_length, 3)
stft(signals, frame_length, frame_step, fft_length=None, window_fn=hann_window, pad_end=False) = stft(t(signals), frame_length, frame_step, fft_length, window_fn, pad_end)
vorbis_window(window_length, dtype=float32) = vorbis(window_length, dtype)

"""

ROWS["audio"] = """
decode_wav(contents, desired_channels=-1, desired_samples=-1) = decode_wav(contents, desired_channels, desired_samples)
encode_wav(audio, sample_rate) = encode_wav(audio, sample_rate)
"""

ROWS["lookup"] = """
KeyValueTensorInitializer = nacre.tf.tables:KeyValueTensorInitializer
StaticHashTable = nacre.tf.tables:StaticHashTable
StaticVocabularyTable = nacre.tf.tables:StaticVocabularyTable
TextFileIndex = nacre.tf.tables:TextFileIndex
TextFileInitializer = nacre.tf.tables:TextFileInitializer
"""

ROWS["lookup.experimental"] = """
DenseHashTable = nacre.tf.tables:DenseHashTable
MutableHashTable = nacre.tf.tables:MutableHashTable
"""

ROWS["sparse"] = """
SparseTensor = nacre.tf.sparse_tensors:SparseTensor
add = nacre.tf.sparse_tensors:add
concat = nacre.tf.sparse_tensors:concat
expand_dims = nacre.tf.sparse_tensors:expand_dims
eye = nacre.tf.sparse_tensors:eye
from_dense(tensor) = from_dense(tensor)
map_values = nacre.tf.sparse_tensors:map_values
reduce_max(sp_input, axis=None, keepdims=None, output_is_sparse=False) = reduce('max', sp_input, axis, keepdims, output_is_sparse)
reduce_sum(sp_input, axis=None, keepdims=None, output_is_sparse=False) = reduce('sum', sp_input, axis, keepdims, output_is_sparse)
reorder = nacre.tf.sparse_tensors:reorder
reshape = nacre.tf.sparse_tensors:reshape
retain = nacre.tf.sparse_tensors:retain
slice = nacre.tf.sparse_tensors:slice
maximum = nacre.tf.sparse_tensors:maximum
minimum = nacre.tf.sparse_tensors:minimum
softmax = nacre.tf.sparse_tensors:softmax
segment_mean(data, indices, segment_ids, num_segments=None, sparse_gradient=False) = picked_segments('SparseSegmentMean', t(data), t(indices), t(segment_ids), num_segments)
segment_sqrt_n(data, indices, segment_ids, num_segments=None, sparse_gradient=False) = picked_segments('SparseSegmentSqrtN', t(data), t(indices), t(segment_ids), num_segments)
segment_sum(data, indices, segment_ids, num_segments=None, sparse_gradient=False) = picked_segments('SparseSegmentSum', t(data), t(indices), t(segment_ids), num_segments)
sparse_dense_matmul = nacre.tf.sparse_tensors:sparse_dense_matmul
to_dense = nacre.tf.sparse_tensors:to_dense
to_indicator = nacre.tf.sparse_tensors:to_indicator
transpose = nacre.tf.sparse_tensors:transpose
"""

ROWS["sets"] = """
difference(a, b, aminusb=True, validate_indices=True) = set_difference(a, b, aminusb)
intersection(a, b, validate_indices=True) = combined('intersection', a, b)
size(a, validate_indices=True) = set_size(a)
union(a, b, validate_indices=True) = combined('union', a, b)
"""

ROWS["nest"] = """
flatten(structure, expand_composites=False) = tree.flatten(structure)
map_structure(func, *structure) = tree.map_structure(func, *structure)
pack_sequence_as(structure, flat_sequence, expand_composites=False) = tree.pack_sequence_as(structure, flat_sequence)
assert_same_structure = nacre.tf.more_values:assert_same_structure
is_nested = nacre.tf.more_values:is_nested
"""

ROWS["train"] = """
Checkpoint = nacre.tf.checkpoints:Checkpoint
CheckpointManager = nacre.tf.checkpoints:CheckpointManager
Example = nacre.tf.records:Example
latest_checkpoint = nacre.tf.checkpoints:latest_checkpoint
list_variables = nacre.tf.checkpoints:list_variables
load_checkpoint = nacre.tf.checkpoints:load_checkpoint
load_variable = nacre.tf.checkpoints:load_variable
SequenceExample = nacre.tf.records:SequenceExample
BytesList = nacre.tf.records:BytesList
Feature = nacre.tf.records:Feature
FeatureList = nacre.tf.records:FeatureList
FeatureLists = nacre.tf.records:FeatureLists
Features = nacre.tf.records:Features
FloatList = nacre.tf.records:FloatList
Int64List = nacre.tf.records:Int64List
CheckpointOptions = nacre.tf.running:no_scope
ExponentialMovingAverage = nacre.tf.averages:ExponentialMovingAverage
get_checkpoint_state = nacre.tf.checkpoints:get_checkpoint_state
"""

ROWS["saved_model"] = """
contains_saved_model = nacre.tf.saved_models:contains_saved_model
load = nacre.tf.saved_models:load
save = nacre.tf.saved_models:save
LoadOptions = nacre.tf.running:no_scope
SaveOptions = nacre.tf.running:no_scope
"""

ROWS["autograph"] = """
set_verbosity = nacre.tf.conversion.faces:accepted
to_code = nacre.tf.conversion.faces:to_code
to_graph = nacre.tf.conversion.faces:to_graph
trace = nacre.tf.conversion.faces:accepted
"""

ROWS["autograph.experimental"] = """
do_not_convert = nacre.tf.conversion.faces:do_not_convert
set_loop_options = nacre.tf.conversion.faces:accepted
"""

ROWS["compat"] = """
as_bytes(bytes_or_text, encoding='utf-8') = as_bytes(bytes_or_text, encoding)
as_str(bytes_or_text, encoding='utf-8') = as_text(bytes_or_text, encoding)
as_str_any(value, encoding='utf-8') = as_text(value, encoding) if isinstance(value, bytes) else str(value)
as_text(bytes_or_text, encoding='utf-8') = as_text(bytes_or_text, encoding)
dimension_at_index = nacre.tf.shapes:dimension_at_index
dimension_value = nacre.tf.shapes:dimension_value
path_to_str = nacre.tf.more_values:path_to_str
forward_compatible(year, month, day) = True
"""

# As far as scripts for TensorFlow 2 use it.
ROWS["compat.v1"] = """
Dimension = nacre.tf.shapes:Dimension
FIFOQueue = nacre.tf.queues:FIFOQueue
PaddingFIFOQueue = nacre.tf.queues:PaddingFIFOQueue
PriorityQueue = nacre.tf.queues:PriorityQueue
QueueBase = nacre.tf.queues:QueueBase
RandomShuffleQueue = nacre.tf.queues:RandomShuffleQueue
dimension_at_index = nacre.tf.shapes:dimension_at_index
dimension_value = nacre.tf.shapes:dimension_value
Summary = nacre.tf.raw_summaries:Summary
SummaryMetadata = nacre.tf.raw_summaries:SummaryMetadata
ConfigProto = nacre.tf.session_settings:ConfigProto
GPUOptions = nacre.tf.session_settings:GPUOptions
InteractiveSession = nacre.tf.session_settings:InteractiveSession
Session = nacre.tf.session_settings:Session
assign(ref, value, validate_shape=None, use_locking=None) = ref.assign(value)
assign_add(ref, value, use_locking=None) = ref.assign_add(value)
assign_sub(ref, value, use_locking=None) = ref.assign_sub(value)
disable_eager_execution() = None
disable_v2_behavior() = None
enable_eager_execution(config=None, device_policy=None, execution_mode=None) = None
enable_v2_behavior() = None
executing_eagerly() = executing_eagerly()
set_random_seed(seed) = set_seed(seed)
reduce_sum(input_tensor, axis=None, keepdims=None, reduction_indices=None, keep_dims=None) = reduced('Sum', t(input_tensor), reduction_indices if axis is None else axis, bool(keep_dims if keepdims is None else keepdims))
reduce_mean(input_tensor, axis=None, keepdims=None, reduction_indices=None, keep_dims=None) = reduced('Mean', t(input_tensor), reduction_indices if axis is None else axis, bool(keep_dims if keepdims is None else keepdims))
reduce_max(input_tensor, axis=None, keepdims=None, reduction_indices=None, keep_dims=None) = reduced('Max', t(input_tensor), reduction_indices if axis is None else axis, bool(keep_dims if keepdims is None else keepdims))
reduce_min(input_tensor, axis=None, keepdims=None, reduction_indices=None, keep_dims=None) = reduced('Min', t(input_tensor), reduction_indices if axis is None else axis, bool(keep_dims if keepdims is None else keepdims))
reduce_prod(input_tensor, axis=None, keepdims=None, reduction_indices=None, keep_dims=None) = reduced('Prod', t(input_tensor), reduction_indices if axis is None else axis, bool(keep_dims if keepdims is None else keepdims))
reduce_any(input_tensor, axis=None, keepdims=None, reduction_indices=None, keep_dims=None) = reduced('Any', t(input_tensor), reduction_indices if axis is None else axis, bool(keep_dims if keepdims is None else keepdims))
reduce_all(input_tensor, axis=None, keepdims=None, reduction_indices=None, keep_dims=None) = reduced('All', t(input_tensor), reduction_indices if axis is None else axis, bool(keep_dims if keepdims is None else keepdims))
argmax(input, axis=None, dimension=None, output_type=int64) = arg('ArgMax', t(input), dimension if axis is None else axis, output_type)
argmin(input, axis=None, dimension=None, output_type=int64) = arg('ArgMin', t(input), dimension if axis is None else axis, output_type)
squeeze(input, axis=None, squeeze_dims=None) = Squeeze(t(input), squeeze_dims=listed(squeeze_dims if axis is None else axis))
to_float(x) = cast(x, 'float32')
to_double(x) = cast(x, 'float64')
to_int32(x) = cast(x, 'int32')
to_int64(x) = cast(x, 'int64')
disable_v2_tensorshape() = None
enable_resource_variables() = None
enable_v2_tensorshape() = None
arg_max = nacre.tf.first_version:arg_max
arg_min = nacre.tf.first_version:arg_min
boolean_mask = nacre.tf.first_version:boolean_mask
cond = nacre.tf.first_version:cond
confusion_matrix = nacre.tf.first_version:confusion_matrix
constant = nacre.tf.first_version:constant
constant_initializer = nacre.tf.first_version:constant_initializer
convert_to_tensor = nacre.tf.first_version:convert_to_tensor
count_nonzero = nacre.tf.first_version:count_nonzero
decode_raw = nacre.tf.first_version:decode_raw
depth_to_space = nacre.tf.first_version:depth_to_space
div = nacre.tf.first_version:div
expand_dims = nacre.tf.first_version:expand_dims
gather = nacre.tf.first_version:gather
gather_nd = nacre.tf.first_version:gather_nd
glorot_normal_initializer = nacre.tf.first_version:glorot_normal_initializer
glorot_uniform_initializer = nacre.tf.first_version:glorot_uniform_initializer
multinomial = nacre.tf.first_version:multinomial
name_scope = nacre.tf.first_version:name_scope
norm = nacre.tf.first_version:norm
ones_initializer = nacre.tf.first_version:ones_initializer
ones_like = nacre.tf.first_version:ones_like
orthogonal_initializer = nacre.tf.first_version:orthogonal_initializer
pad = nacre.tf.first_version:pad
parse_example = nacre.tf.first_version:parse_example
parse_single_example = nacre.tf.first_version:parse_single_example
py_func = nacre.tf.first_version:py_func
random_normal_initializer = nacre.tf.first_version:random_normal_initializer
random_uniform_initializer = nacre.tf.first_version:random_uniform_initializer
scatter_add = nacre.tf.first_version:scatter_add
scatter_div = nacre.tf.first_version:scatter_div
scatter_max = nacre.tf.first_version:scatter_max
scatter_min = nacre.tf.first_version:scatter_min
scatter_mul = nacre.tf.first_version:scatter_mul
scatter_nd_add = nacre.tf.first_version:scatter_nd_add
scatter_nd_sub = nacre.tf.first_version:scatter_nd_sub
scatter_nd_update = nacre.tf.first_version:scatter_nd_update
scatter_sub = nacre.tf.first_version:scatter_sub
scatter_update = nacre.tf.first_version:scatter_update
shape = nacre.tf.first_version:shape
size = nacre.tf.first_version:size
space_to_depth = nacre.tf.first_version:space_to_depth
string_split = nacre.tf.first_version:string_split
string_to_number = nacre.tf.first_version:string_to_number
substr = nacre.tf.first_version:substr
transpose = nacre.tf.first_version:transpose
truncated_normal_initializer = nacre.tf.first_version:truncated_normal_initializer
variance_scaling_initializer = nacre.tf.first_version:variance_scaling_initializer
where = nacre.tf.first_version:where
zeros_initializer = nacre.tf.first_version:zeros_initializer
zeros_like = nacre.tf.first_version:zeros_like
"""

ROWS["compat.v1.strings"] = """
length = nacre.tf.first_version:string_length
split = nacre.tf.first_version:strings_split
substr = nacre.tf.first_version:substr
to_number = nacre.tf.first_version:string_to_number
"""

ROWS["compat.v1.nn"] = """
avg_pool = nacre.tf.first_version:avg_pool
conv2d = nacre.tf.first_version:conv2d
depth_to_space = nacre.tf.first_version:depth_to_space
dropout = nacre.tf.first_version:dropout
in_top_k = nacre.tf.first_version:in_top_k
log_softmax = nacre.tf.first_version:log_softmax
max_pool = nacre.tf.first_version:max_pool
moments = nacre.tf.first_version:moments
sigmoid_cross_entropy_with_logits = nacre.tf.first_version:sigmoid_cross_entropy_with_logits
softmax = nacre.tf.first_version:softmax
softmax_cross_entropy_with_logits = nacre.tf.first_version:softmax_cross_entropy_with_logits
softmax_cross_entropy_with_logits_v2 = nacre.tf.first_version:softmax_cross_entropy_with_logits_v2
space_to_depth = nacre.tf.first_version:space_to_depth
sparse_softmax_cross_entropy_with_logits = nacre.tf.first_version:sparse_softmax_cross_entropy_with_logits
xw_plus_b = nacre.tf.first_version:xw_plus_b
"""

ROWS["compat.v1.losses"] = """
absolute_difference = nacre.tf.first_version:absolute_difference
mean_squared_error = nacre.tf.first_version:mean_squared_error
"""

ROWS["compat.v1.data"] = """
make_one_shot_iterator = nacre.tf.first_version:make_one_shot_iterator
"""

ROWS["compat.v1.linalg"] = """
norm = nacre.tf.first_version:norm
"""

ROWS["compat.v1.io"] = """
decode_raw = nacre.tf.first_version:decode_raw
parse_example = nacre.tf.first_version:parse_example
parse_single_example = nacre.tf.first_version:parse_single_example
"""

ROWS["compat.v1.math"] = """
confusion_matrix = nacre.tf.first_version:confusion_matrix
count_nonzero = nacre.tf.first_version:count_nonzero
in_top_k = nacre.tf.first_version:in_top_k
log_softmax = nacre.tf.first_version:log_softmax
softmax = nacre.tf.first_version:softmax
"""

ROWS["experimental"] = """
BatchableExtensionType = nacre.tf.extension_types:BatchableExtensionType
ExtensionType = nacre.tf.extension_types:ExtensionType
ExtensionTypeSpec = nacre.tf.extension_types:ExtensionTypeSpec
Optional = nacre.tf.data_experimental:Optional
dispatch_for_api = nacre.tf.dispatching:dispatch_for_api
dispatch_for_binary_elementwise_apis = nacre.tf.dispatching:dispatch_for_binary_elementwise_apis
dispatch_for_unary_elementwise_apis = nacre.tf.dispatching:dispatch_for_unary_elementwise_apis
unregister_dispatch_for = nacre.tf.dispatching:unregister_dispatch_for
"""

ROWS["queue"] = """
FIFOQueue = nacre.tf.queues:FIFOQueue
PaddingFIFOQueue = nacre.tf.queues:PaddingFIFOQueue
PriorityQueue = nacre.tf.queues:PriorityQueue
QueueBase = nacre.tf.queues:QueueBase
RandomShuffleQueue = nacre.tf.queues:RandomShuffleQueue
"""

ROWS["nn.experimental"] = """
stateless_dropout(x, rate, seed, rng_alg='auto_select', noise_shape=None) = stateless_dropout(t(x), rate, seed, noise_shape)
"""

ROWS["math.special"] = """
dawsn(x) = special.dawsn(t(x))
expint(x) = special.expi(t(x))
spence(x) = special.spence(t(x))
"""

ROWS["random.experimental"] = """
Algorithm = nacre.tf.randoms:Algorithm
Generator = nacre.tf.randoms:Generator
create_rng_state = nacre.tf.randoms:create_rng_state
get_global_generator = nacre.tf.randoms:get_global_generator
set_global_generator = nacre.tf.randoms:set_global_generator
stateless_fold_in(seed, data, alg='auto_select') = fold_in(seed, data)
stateless_shuffle(value, seed, alg='auto_select') = stateless_shuffle(t(value), seed)
stateless_split(seed, num=2, alg='auto_select') = split_seed(seed, num)
"""

ROWS["compat.v1.logging"] = """
debug = nacre.tf.old_logging:debug
error = nacre.tf.old_logging:error
fatal = nacre.tf.old_logging:fatal
get_verbosity = nacre.tf.old_logging:get_verbosity
info = nacre.tf.old_logging:info
set_verbosity = nacre.tf.old_logging:set_verbosity
warn = nacre.tf.old_logging:warning
warning = nacre.tf.old_logging:warning
"""

ROWS["distribute.experimental"] = """
CentralStorageStrategy = nacre.tf.strategies:CentralStorageStrategy
CollectiveCommunication = nacre.tf.strategies:Setting
CollectiveHints = nacre.tf.strategies:Setting
CommunicationImplementation = nacre.tf.strategies:Setting
CommunicationOptions = nacre.tf.strategies:Setting
MultiWorkerMirroredStrategy = nacre.tf.strategies:MultiWorkerMirroredStrategy
TPUStrategy = nacre.tf.strategies:TPUStrategy
"""

ROWS["distribute"] = """
HierarchicalCopyAllReduce = nacre.tf.strategies:Setting
InputOptions = nacre.tf.strategies:Setting
NcclAllReduce = nacre.tf.strategies:Setting
ReductionToOneDevice = nacre.tf.strategies:Setting
RunOptions = nacre.tf.strategies:Setting
"""

ROWS["distribute.cluster_resolver"] = """
TPUClusterResolver = nacre.tf.strategies:TPUClusterResolver
"""

ROWS["tpu.experimental"] = """
initialize_tpu_system = nacre.tf.machine:accepted
shutdown_tpu_system = nacre.tf.machine:accepted
"""

ROWS["profiler.experimental"] = """
Profile = nacre.tf.machine:Profile
ProfilerOptions = nacre.tf.strategies:Setting
Trace = nacre.tf.machine:Trace
start = nacre.tf.machine:start_profile
stop = nacre.tf.machine:stop_profile
"""

ROWS["sysconfig"] = """
get_build_info = nacre.tf.machine:build_info
"""

ROWS["autodiff"] = """
GradientTape = nacre.core.tape:GradientTape
"""

ROWS["data"] = """
Iterator = nacre.data:DatasetIterator
NumpyIterator = nacre.data:DatasetIterator
ThreadingOptions = nacre.tf.strategies:Setting
"""

ROWS["data.experimental"] = """
AutoShardPolicy = nacre.tf.data_experimental:AutoShardPolicy
AutotuneAlgorithm = nacre.tf.data_experimental:AutotuneAlgorithm
AutotuneOptions = nacre.tf.strategies:Setting
Counter = nacre.tf.data_experimental:counter
DistributeOptions = nacre.tf.strategies:Setting
OptimizationOptions = nacre.tf.strategies:Setting
ServiceOptions = nacre.tf.strategies:Setting
Optional = nacre.tf.data_experimental:Optional
TFRecordWriter = nacre.tf.data_experimental:TFRecordWriter
get_next_as_optional = nacre.tf.data_experimental:get_next_as_optional
ThreadingOptions = nacre.tf.strategies:Setting
copy_to_device = nacre.tf.data_experimental:to_device
from_list = nacre.tf.data_experimental:from_list
get_structure = nacre.tf.data_experimental:get_structure
load = nacre.tf.data_experimental:load
parallel_interleave = nacre.tf.data_experimental:parallel_interleave
prefetch_to_device = nacre.tf.data_experimental:to_device
save = nacre.tf.data_experimental:save
"""

ROWS["types.experimental"] = """
TensorLike = nacre.tf.values:Tensor
"""

# Second names of layers and losses.
ROWS["python.rnn_cell_impl"] = """
_concat = nacre.tf.arranging:joined_sizes
"""

ROWS["python.convolutions"] = """
Conv = nacre.layers.convolution.sliding:SlidingLayer
"""

ROWS["python.client.device_lib"] = """
list_local_devices = nacre.tf.machine:list_local_devices
"""

ROWS["keras.backend"] = """
backend = nacre.tf.generation:backend
get_session = nacre.tf.session_settings:get_session
set_session = nacre.tf.session_settings:set_session
shape(x) = shape(x, int32)
manual_variable_initialization = nacre.tf.keras_wide:manual_variable_initialization
placeholder = nacre.tf.keras_wide:placeholder
rnn = nacre.tf.keras_wide:rnn
conv2d_transpose = nacre.tf.keras_dropped:conv2d_transpose
binary_focal_crossentropy = nacre.tf.keras_extras:binary_focal_crossentropy
categorical_focal_crossentropy = nacre.tf.keras_extras:categorical_focal_crossentropy
ctc_decode = nacre.tf.keras_extras:ctc_decode
ctc_label_dense_to_sparse = nacre.tf.keras_extras:ctc_label_dense_to_sparse
local_conv1d = nacre.tf.keras_extras:local_conv1d
reset_uids = nacre.core.names:reset_names
local_conv2d = nacre.tf.keras_extras:local_conv2d
"""

ROWS["keras.backend.experimental"] = """
disable_tf_random_generator = nacre.tf.keras_extras:accepted
enable_tf_random_generator = nacre.tf.keras_extras:accepted
is_tf_random_generator_enabled = nacre.tf.keras_extras:is_tf_random_generator_enabled
"""

ROWS["keras.callbacks"] = """
BaseLogger = nacre.tf.keras_extras:BaseLogger
"""

ROWS["keras.metrics"] = """
MeanRelativeError = nacre.tf.keras_extras:MeanRelativeError
MeanTensor = nacre.tf.keras_dropped:MeanTensor
"""

ROWS["keras.layers.experimental"] = """
RandomFourierFeatures = nacre.tf.keras_dropped:RandomFourierFeatures
SyncBatchNormalization = nacre.tf.keras_extras:SyncBatchNormalization
"""

ROWS["keras.models.experimental"] = """
SharpnessAwareMinimization = nacre.tf.keras_dropped:SharpnessAwareMinimization
"""

ROWS["keras.experimental"] = """
SidecarEvaluator = nacre.tf.keras_sidecar:SidecarEvaluator
LinearModel = nacre.tf.keras_wide:LinearModel
WideDeepModel = nacre.tf.keras_wide:WideDeepModel
"""

ROWS["keras.utils"] = """
GeneratorEnqueuer = nacre.tf.keras_queues:GeneratorEnqueuer
OrderedEnqueuer = nacre.tf.keras_queues:OrderedEnqueuer
SequenceEnqueuer = nacre.tf.keras_queues:SequenceEnqueuer
SidecarEvaluator = nacre.tf.keras_sidecar:SidecarEvaluator
TimedThread = nacre.tf.keras_queues:TimedThread
"""

ROWS["keras.layers.experimental.preprocessing"] = """
PreprocessingLayer = nacre.tf.keras_wide:PreprocessingLayer
RandomHeight = nacre.tf.keras_dropped:RandomHeight
RandomWidth = nacre.tf.keras_dropped:RandomWidth
"""

ROWS["keras.layers"] = """
RandomHeight = nacre.tf.keras_dropped:RandomHeight
RandomWidth = nacre.tf.keras_dropped:RandomWidth
AbstractRNNCell = nacre.tf.keras_extras:AbstractRNNCell
_Merge = nacre.tf.keras_extras:MergeOfScripts
LocallyConnected1D = nacre.tf.keras_extras:LocallyConnected1D
LocallyConnected2D = nacre.tf.keras_extras:LocallyConnected2D
AvgPool1D = nacre.layers:AveragePooling1D
AvgPool2D = nacre.layers:AveragePooling2D
AvgPool3D = nacre.layers:AveragePooling3D
Convolution1D = nacre.layers:Conv1D
Convolution1DTranspose = nacre.layers:Conv1DTranspose
Convolution2D = nacre.layers:Conv2D
Convolution2DTranspose = nacre.layers:Conv2DTranspose
Convolution3D = nacre.layers:Conv3D
Convolution3DTranspose = nacre.layers:Conv3DTranspose
GlobalAvgPool1D = nacre.layers:GlobalAveragePooling1D
GlobalAvgPool2D = nacre.layers:GlobalAveragePooling2D
GlobalAvgPool3D = nacre.layers:GlobalAveragePooling3D
GlobalMaxPool1D = nacre.layers:GlobalMaxPooling1D
GlobalMaxPool2D = nacre.layers:GlobalMaxPooling2D
GlobalMaxPool3D = nacre.layers:GlobalMaxPooling3D
MaxPool1D = nacre.layers:MaxPooling1D
MaxPool2D = nacre.layers:MaxPooling2D
MaxPool3D = nacre.layers:MaxPooling3D
SeparableConvolution1D = nacre.layers:SeparableConv1D
SeparableConvolution2D = nacre.layers:SeparableConv2D
"""

ROWS["keras.losses"] = """
KLD = nacre.losses:kl_divergence
MAE = nacre.losses:mean_absolute_error
MAPE = nacre.losses:mean_absolute_percentage_error
MSE = nacre.losses:mean_squared_error
MSLE = nacre.losses:mean_squared_logarithmic_error
kld = nacre.losses:kl_divergence
mae = nacre.losses:mean_absolute_error
mape = nacre.losses:mean_absolute_percentage_error
mse = nacre.losses:mean_squared_error
msle = nacre.losses:mean_squared_logarithmic_error
kullback_leibler_divergence = nacre.losses:kl_divergence
logcosh = nacre.losses:log_cosh
"""

_SHORT = "KLD MAE MAPE MSE MSLE kld mae mape mse msle kullback_leibler_divergence logcosh"

# `tf.abs` is `tf.math.abs`: module -> the names of another that it has too.
SAME: dict[str, dict[str, str]] = {
    "": {
        "math": (
            "abs acos acosh add add_n argmax argmin asin asinh atan atan2 atanh cos cosh cumsum "
            "divide equal exp floor greater greater_equal less less_equal logical_and logical_not "
            "logical_or maximum minimum multiply negative not_equal pow reduce_all reduce_any "
            "reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum round "
            "scalar_mul sigmoid sign sin sinh sqrt square subtract tan tanh truediv"
        ),
        "linalg": "einsum matmul norm",
        "strings": "as_string",
        "debugging": ("Assert assert_equal assert_greater assert_less assert_rank"),
    },
    "io": {
        "image": "decode_and_crop_jpeg extract_jpeg_shape decode_bmp decode_gif decode_image decode_jpeg decode_png encode_jpeg encode_png"
    },
    "nn": {
        "math": (
            "in_top_k l2_normalize log_softmax sigmoid softmax softplus softsign tanh top_k "
            "zero_fraction"
        ),
        "": "space_to_batch",
    },
    "losses": {"keras.losses": _SHORT},
    "metrics": {"keras.losses": _SHORT},
    "keras.metrics": {"keras.losses": _SHORT},
    "linalg": {"": "eig eigvals eye tensordot", "math": "l2_normalize"},
    "math.special": {"math": "bessel_i0 bessel_i0e bessel_i1 bessel_i1e"},
    "dtypes": {"": "cast complex saturate_cast"},
}
