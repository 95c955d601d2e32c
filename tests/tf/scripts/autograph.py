import numpy as np
import tensorflow as tf
@tf.function
def collatz(n):
    steps = tf.constant(0)
    while n > 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps
print(collatz(tf.constant(27)).numpy())
@tf.function
def fizz(n):
    out = tf.TensorArray(tf.string, size=0, dynamic_size=True)
    for i in tf.range(1, n + 1):
        if tf.equal(i % 15, 0):
            out = out.write(i - 1, "FizzBuzz")
        elif tf.equal(i % 3, 0):
            out = out.write(i - 1, "Fizz")
        elif tf.equal(i % 5, 0):
            out = out.write(i - 1, "Buzz")
        else:
            out = out.write(i - 1, tf.strings.as_string(i))
    return out.stack()
print([s.decode() for s in fizz(tf.constant(6)).numpy()])
@tf.function
def prime(n):
    found = n > 1
    i = tf.constant(2)
    while i * i <= n:
        if n % i == 0:
            found = False
            break
        i += 1
    return found
print([bool(prime(tf.constant(k))) for k in (1, 2, 9, 13)])
@tf.function
def total(ds):
    s = tf.constant(0, tf.int64)
    for x in ds:
        if x == 3:
            continue
        if x > 5:
            break
        s += x
    return s
print(total(tf.data.Dataset.range(10)).numpy())
@tf.function
def bools(a, b):
    if a > 0 and not b > 0 or a == -5:
        return tf.constant("yes")
    return tf.constant("no")
print(bools(tf.constant(1), tf.constant(-1)).numpy(), bools(tf.constant(1), tf.constant(1)).numpy())
@tf.function
def rnn(x, h):
    outs = tf.TensorArray(tf.float32, size=x.shape[0])
    for t in tf.range(tf.shape(x)[0]):
        h = tf.tanh(x[t] + h)
        outs = outs.write(t, h)
    return outs.stack(), h
o, h = rnn(tf.ones([3, 2]), tf.zeros([2])); print(o.shape, np.round(h.numpy(), 4).tolist())
@tf.function
def enum(xs):
    acc = 0.0
    for i, x in enumerate(xs):
        acc += float(i) * x
    return acc
print(enum([tf.constant(1.0), tf.constant(2.0)]).numpy())
class Counter(tf.Module):
    def __init__(self):
        self.count = tf.Variable(0); self.history = None
    @tf.function
    def inc(self, by=1):
        self.count.assign_add(by)
        return self.count
    @property
    def value(self):
        return self.count.numpy()
c = Counter(); c.inc(); c.inc(5); print(c.value)
@tf.function
def cond_assign(v, flag):
    if flag:
        v.assign(v * 2.0)
    else:
        v.assign_sub(1.0)
    return v.read_value()
v = tf.Variable(3.0); print(cond_assign(v, tf.constant(True)).numpy(), cond_assign(v, tf.constant(False)).numpy())
@tf.function
def ternary(x):
    y = x * 2 if x > 0 else -x
    z = [y + i for i in range(3)]
    return tf.stack(z), len(z), x.shape.rank
print([t.numpy().tolist() if hasattr(t, "numpy") else t for t in ternary(tf.constant(2.0))])
r = tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a * 2), [tf.constant(0), tf.constant(1)]); print([q.numpy() for q in r])
print(tf.cond(tf.constant(True), lambda: tf.constant(1), lambda: tf.constant(2)).numpy(), tf.switch_case(tf.constant(1), [lambda: tf.constant(10), lambda: tf.constant(20)]).numpy(), tf.case([(tf.constant(False), lambda: tf.constant(1))], default=lambda: tf.constant(3)).numpy())
print(tf.map_fn(lambda t: t[0] + t[1], (tf.range(3), tf.range(3)), fn_output_signature=tf.int32).numpy().tolist(), tf.scan(lambda a, x: a + x, tf.range(1, 5)).numpy().tolist(), tf.foldl(lambda a, x: a * 2 + x, tf.range(4)).numpy(), tf.vectorized_map(lambda x: x * x, tf.range(3)).numpy().tolist())
@tf.function
def dicts(d):
    d = dict(d); d["c"] = d["a"] + d["b"]
    for k in sorted(d):
        d[k] = d[k] * 2
    return d
print({k: v.numpy() for k, v in sorted(dicts({"a": tf.constant(1), "b": tf.constant(2)}).items())})
@tf.function
def asserts(x):
    tf.debugging.assert_greater(x, 0.0)

    return tf.sqrt(x)
print(asserts(tf.constant(4.0)).numpy())
try:
    asserts(tf.constant(-4.0))
except tf.errors.InvalidArgumentError:
    print("refused")
@tf.function
def lam(x, f=lambda t: t + 1):
    return f(x)
print(lam(tf.constant(1)).numpy(), lam(tf.constant(1), f=tf.square).numpy())
cf = collatz.get_concrete_function(tf.TensorSpec([], tf.int32)); print(cf(tf.constant(8)).numpy())
f2 = tf.function(lambda a, b: a @ b); print(f2(tf.ones([1, 2]), tf.ones([2, 1])).numpy().tolist())
@tf.function(reduce_retracing=True)
def anyshape(x): return tf.reduce_sum(x)
print(anyshape(tf.ones([2])).numpy(), anyshape(tf.ones([5])).numpy(), tf.autograph.experimental.do_not_convert(lambda x: x)(3))
@tf.function
def newton_sqrt(x, tol=1e-4):
    guess = x / 2.0
    while tf.abs(guess * guess - x) > tol:
        guess = 0.5 * (guess + x / guess)
    return guess
print(round(float(newton_sqrt(tf.constant(2.0))), 3))
@tf.function
def nested(n):
    t = 0
    for i in tf.range(n):
        for j in tf.range(i):
            if (i + j) % 2 == 0:
                t += 1
    return t
print(nested(tf.constant(5)).numpy())
