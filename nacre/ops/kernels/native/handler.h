// What the native kernels share: arguments of an XLA call, work split over XLA's threads, vectors.
//
// Written against XLA's C interface alone: its C++ header costs two seconds of compile time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "xla/ffi/api/c_api.h"

namespace nacre {

// XLA takes memory above 32 MB from the system anew for every call, and the system clears it when it
// is first written to, 4 kB at a time: a third of the processor time of MobileNetV2 on 16 pictures
// of 160 x 160. Large results ask for pages of 2 MB. (madvise(2), where those are not given anyway.)
inline void ask_for_large_pages(void* data, int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t kPage = 2 << 20, kWorthIt = 8 << 20;
  if (bytes < static_cast<int64_t>(kWorthIt)) return;
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = (begin + kPage - 1) / kPage * kPage;
  const uintptr_t last = (begin + static_cast<uintptr_t>(bytes)) / kPage * kPage;
  madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);  // a wish: may be refused
#endif
}

// --- one call ------------------------------------------------------------------------------------

// A call that lacks what its handler reads, or has another kind of it: a mistake of nacre's own. It
// is an error in Python; read as if it were there, it would be a wrong result, or foreign memory.
struct Mismatch : std::exception {
  explicit Mismatch(std::string said) : text(std::move(said)) {}
  const char* what() const noexcept override { return text.c_str(); }
  std::string text;
};

inline bool holds(XLA_FFI_DataType dtype, const float*) { return dtype == XLA_FFI_DataType_F32; }
inline bool holds(XLA_FFI_DataType dtype, const int32_t*) { return dtype == XLA_FFI_DataType_S32; }
inline bool holds(XLA_FFI_DataType dtype, const int8_t*) { return dtype == XLA_FFI_DataType_S8; }
// A number of bfloat16, as its bits.
inline bool holds(XLA_FFI_DataType dtype, const uint16_t*) { return dtype == XLA_FFI_DataType_BF16; }
inline bool holds(XLA_FFI_DataType dtype, const uint8_t*) {
  return dtype == XLA_FFI_DataType_U8 || dtype == XLA_FFI_DataType_PRED;
}

class Call {
 public:
  explicit Call(XLA_FFI_CallFrame* frame) : frame_(frame) {}

  template <typename T = float>
  const T* argument(int index) const {
    return data<T>(given(index), "argument", index);
  }
  template <typename T = float>
  T* result(int index) const {
    if (index >= frame_->rets.size) throw missing("result", index);
    const XLA_FFI_Buffer* found = buffer(frame_->rets.rets[index]);
    T* typed = data<T>(found, "result", index);
    ask_for_large_pages(typed, numbers_in(found) * static_cast<int64_t>(sizeof(T)));
    return typed;
  }
  int64_t size(int argument, int axis) const {
    const XLA_FFI_Buffer* found = given(argument);
    if (axis < 0) axis += static_cast<int>(found->rank);  // -1 is the last
    if (axis < 0 || axis >= found->rank) throw Mismatch(numbered("argument", argument) + " has fewer axes");
    return found->dims[axis];
  }
  // How many numbers an argument has.
  int64_t count(int argument) const { return numbers_in(given(argument)); }
  // And a result.
  int64_t result_count(int index) const {
    if (index >= frame_->rets.size) throw missing("result", index);
    return numbers_in(buffer(frame_->rets.rets[index]));
  }
  // An attribute given as numpy.int64.
  int64_t attribute(const char* name) const {
    for (int64_t i = 0; i < frame_->attrs.size; ++i) {
      const XLA_FFI_ByteSpan* found = frame_->attrs.names[i];
      if (found->len != std::strlen(name) || std::memcmp(found->ptr, name, found->len)) continue;
      auto* scalar = static_cast<XLA_FFI_Scalar*>(frame_->attrs.attrs[i]);
      if (frame_->attrs.types[i] != XLA_FFI_AttrType_SCALAR ||
          scalar->dtype != XLA_FFI_DataType_S64)
        throw Mismatch("attribute '" + std::string(name) + "' is no numpy.int64");
      return *static_cast<int64_t*>(scalar->value);
    }
    throw Mismatch("attribute '" + std::string(name) + "' is missing");
  }
  int64_t threads() const {
    int64_t count = 1;
    XLA_FFI_ThreadPool_NumThreads_Args query{};
    query.struct_size = XLA_FFI_ThreadPool_NumThreads_Args_STRUCT_SIZE;
    query.ctx = frame_->ctx;
    query.num_threads = &count;
    return forgive(frame_->api->XLA_FFI_ThreadPool_NumThreads(&query)) ? count : 1;
  }
  // Run task(data) on another thread; false when that is not possible.
  bool schedule(XLA_FFI_Task* task, void* data) const {
    XLA_FFI_ThreadPool_Schedule_Args work{};
    work.struct_size = XLA_FFI_ThreadPool_Schedule_Args_STRUCT_SIZE;
    work.ctx = frame_->ctx;
    work.task = task;
    work.data = data;
    return forgive(frame_->api->XLA_FFI_ThreadPool_Schedule(&work));
  }
  // The error that makes the call fail in Python too.
  XLA_FFI_Error* error(XLA_FFI_Error_Code code, const char* handler, const char* text) const {
    const std::string whole = std::string("compiled kernel ") + handler + ": " + text +
                              ". NACRE_NATIVE=0 runs without compiled kernels.";
    XLA_FFI_Error_Create_Args create{};
    create.struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE;
    create.message = whole.c_str();
    create.errc = code;
    return frame_->api->XLA_FFI_Error_Create(&create);
  }

 private:
  static int64_t numbers_in(const XLA_FFI_Buffer* found) {
    int64_t numbers = 1;
    for (int64_t axis = 0; axis < found->rank; ++axis) numbers *= found->dims[axis];
    return numbers;
  }
  static XLA_FFI_Buffer* buffer(void* one) { return static_cast<XLA_FFI_Buffer*>(one); }
  static std::string numbered(const char* what, int index) {
    return std::string(what) + " " + std::to_string(index);
  }
  static Mismatch missing(const char* what, int index) {
    return Mismatch(numbered(what, index) + " is missing");
  }
  const XLA_FFI_Buffer* given(int index) const {
    if (index >= frame_->args.size) throw missing("argument", index);
    return buffer(frame_->args.args[index]);
  }
  template <typename T>
  static T* data(const XLA_FFI_Buffer* found, const char* what, int index) {
    T* typed = static_cast<T*>(found->data);
    if (!holds(found->dtype, typed)) throw Mismatch(numbered(what, index) + " has another dtype");
    return typed;
  }

  bool forgive(XLA_FFI_Error* error) const {
    if (error == nullptr) return true;
    XLA_FFI_Error_Destroy_Args destroy{};
    destroy.struct_size = XLA_FFI_Error_Destroy_Args_STRUCT_SIZE;
    destroy.error = error;
    frame_->api->XLA_FFI_Error_Destroy(&destroy);
    return false;
  }

  XLA_FFI_CallFrame* frame_;
};

// XLA asks every handler once for its version, with an extension in place of arguments.
inline bool answered_version(XLA_FFI_CallFrame* frame) {
  auto* base = frame->extension_start;
  if (base == nullptr || base->type != XLA_FFI_Extension_Metadata) return false;
  auto* metadata = reinterpret_cast<XLA_FFI_Metadata_Extension*>(base)->metadata;
  metadata->api_version.struct_size = XLA_FFI_Api_Version_STRUCT_SIZE;
  metadata->api_version.extension_start = nullptr;
  metadata->api_version.major_version = XLA_FFI_API_MAJOR;
  metadata->api_version.minor_version = XLA_FFI_API_MINOR;
  metadata->traits = 0;
  return true;
}

// No exception may leave a handler: it would end the process.
template <typename Function>
XLA_FFI_Error* answer(const char* name, XLA_FFI_CallFrame* frame, const Function& function) {
  if (answered_version(frame)) return nullptr;
  const Call call(frame);
  try {
    function(call);
    return nullptr;
  } catch (const std::bad_alloc&) {
    return call.error(XLA_FFI_Error_Code_RESOURCE_EXHAUSTED, name, "out of memory");
  } catch (const std::exception& error) {
    return call.error(XLA_FFI_Error_Code_INTERNAL, name, error.what());
  } catch (...) {
    return call.error(XLA_FFI_Error_Code_INTERNAL, name, "an unknown exception");
  }
}

// Declare `name` as a handler that runs `function(const Call&)`.
#define NACRE_HANDLER(name, function)                       \
  extern "C" XLA_FFI_Error* name(XLA_FFI_CallFrame* frame) { \
    return nacre::answer(#name, frame, function);            \
  }

// --- threads -------------------------------------------------------------------------------------

// Run body(0) ... body(count - 1) on XLA's threads and this one, each once; return when all ran.
//
// Pieces are claimed, never assigned: this thread does all that nobody else has begun, so a pool
// whose threads are all busy, or wait inside calls like this one, cannot block it.
template <typename Body>
void parallel(const Call& call, int64_t count, const Body& body) {
  struct Shared {
    std::atomic<int64_t> next{0}, done{0};
    std::atomic<bool> failed{false};
    std::exception_ptr failure;  // the first, whose place is seen once all pieces are done
    int64_t count;
    const Body* body;  // alive until every claimed piece is done
    void work() {
      for (int64_t i; (i = next.fetch_add(1)) < count;) {
        try {
          (*body)(i);
        } catch (...) {
          if (!failed.exchange(true)) failure = std::current_exception();
        }
        done.fetch_add(1, std::memory_order_release);
      }
    }
  };
  auto shared = std::make_shared<Shared>();
  shared->count = count;
  shared->body = &body;
  const int64_t helpers = std::min(call.threads(), count) - 1;
  for (int64_t i = 0; i < helpers; ++i) {
    auto* mine = new std::shared_ptr<Shared>(shared);
    XLA_FFI_Task* task = +[](void* data) {
      std::unique_ptr<std::shared_ptr<Shared>> owned(static_cast<std::shared_ptr<Shared>*>(data));
      (*owned)->work();
    };
    if (!call.schedule(task, mine)) {
      delete mine;
      break;
    }
  }
  shared->work();
  for (int turn = 0; shared->done.load(std::memory_order_acquire) < count; ++turn) {
    if (turn > 4096) std::this_thread::yield();
  }
  if (shared->failed) std::rethrow_exception(shared->failure);
}

// --- memory --------------------------------------------------------------------------------------

// Working memory, handed back to a list and used again: fresh pages cost more than the work. The
// list holds two blocks for each core, and none above 64 MiB.
class Scratch {
 public:
  explicit Scratch(size_t floats) {
    std::lock_guard<std::mutex> guard(lock());
    auto& kept = list();
    for (size_t i = 0; i < kept.size(); ++i) {
      if (kept[i].size >= floats && kept[i].size <= 4 * floats + 4096) {
        block_ = kept[i];
        kept.erase(kept.begin() + i);
        return;
      }
    }
    block_.size = std::max<size_t>(1, (floats + 1023) / 1024) * 1024;
    block_.data = static_cast<float*>(std::aligned_alloc(4096, block_.size * sizeof(float)));
    if (block_.data == nullptr) throw std::bad_alloc();
  }
  ~Scratch() {
    if (block_.size > kLargestKept) {
      std::free(block_.data);
      return;
    }
    std::lock_guard<std::mutex> guard(lock());
    auto& kept = list();
    kept.push_back(block_);
    static const size_t most = std::max(16u, 2 * std::thread::hardware_concurrency());
    if (kept.size() > most) {  // sizes have changed: let the oldest go
      std::free(kept.front().data);
      kept.erase(kept.begin());
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  float* data() const { return block_.data; }

 private:
  static constexpr size_t kLargestKept = 16 << 20;
  struct Block {
    float* data = nullptr;
    size_t size = 0;
  };
  // Never destroyed: threads may still run when the process ends.
  static std::mutex& lock() {
    static auto* one = new std::mutex;
    return *one;
  }
  static std::vector<Block>& list() {
    static auto* one = new std::vector<Block>;
    return *one;
  }
  Block block_;
};

// --- vectors -------------------------------------------------------------------------------------

#if defined(__AVX512F__)
constexpr int kWidth = 16;  // floats in a register
constexpr int kRegisters = 32;
#elif defined(__AVX__)
constexpr int kWidth = 8;
constexpr int kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kWidth = 4;
constexpr int kRegisters = 32;
#else
constexpr int kWidth = 4;
constexpr int kRegisters = 16;
#endif

typedef float Vector __attribute__((vector_size(kWidth * 4)));
typedef int32_t Integers __attribute__((vector_size(kWidth * 4)));
typedef float Loose __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));

#define NACRE_INLINE inline __attribute__((always_inline))

NACRE_INLINE Vector load(const float* from) { return *reinterpret_cast<const Loose*>(from); }
NACRE_INLINE void store(float* to, Vector value) { *reinterpret_cast<Loose*>(to) = value; }
// Minus and not plus zero, which the compiler may leave out: -0 + 0 is another number than -0.
NACRE_INLINE Vector fill(float value) { return value - Vector{}; }

// The first `count` floats, 0 or more; all of them when count >= kWidth.
//
// By a mask where the processor has one. Copying some of a vector takes its address, and then GCC
// keeps it, and sums beside it, in memory through whole loops: products took twice the time.
#if defined(__has_builtin)
#if defined(__AVX512F__) && __has_builtin(__builtin_ia32_loadups512_mask) && \
    __has_builtin(__builtin_ia32_storeups512_mask)
#define NACRE_MASKS 512
#elif defined(__AVX__) && !defined(__AVX512F__) && __has_builtin(__builtin_ia32_maskloadps256) && \
    __has_builtin(__builtin_ia32_maskstoreps256)
#define NACRE_MASKS 256
#endif
#endif

#if NACRE_MASKS == 512
NACRE_INLINE uint16_t first_lanes(int64_t count) { return static_cast<uint16_t>((1u << count) - 1); }
NACRE_INLINE Vector load_some(const float* from, int64_t count) {
  return __builtin_ia32_loadups512_mask(from, Vector{}, first_lanes(count));
}
NACRE_INLINE void store_some(float* to, Vector value, int64_t count) {
  __builtin_ia32_storeups512_mask(to, value, first_lanes(count));
}
#elif NACRE_MASKS == 256
NACRE_INLINE Integers first_lanes(int64_t count) {
  return Integers{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(count);
}
NACRE_INLINE Vector load_some(const float* from, int64_t count) {
  return __builtin_ia32_maskloadps256(reinterpret_cast<const Vector*>(from), first_lanes(count));
}
NACRE_INLINE void store_some(float* to, Vector value, int64_t count) {
  __builtin_ia32_maskstoreps256(reinterpret_cast<Vector*>(to), first_lanes(count), value);
}
#else
NACRE_INLINE Vector load_some(const float* from, int64_t count) {
  Vector value{};
  std::memcpy(&value, from, count * sizeof(float));
  return value;
}
NACRE_INLINE void store_some(float* to, Vector value, int64_t count) {
  std::memcpy(to, &value, count * sizeof(float));
}
#endif

NACRE_INLINE Vector load_part(const float* from, int64_t count) {
  return __builtin_expect(count >= kWidth, 1) ? load(from) : load_some(from, count);
}
NACRE_INLINE void store_part(float* to, Vector value, int64_t count) {
  if (__builtin_expect(count >= kWidth, 1)) {
    store(to, value);
  } else {
    store_some(to, value, count);
  }
}

NACRE_INLINE Vector choose(Integers where, Vector yes, Vector no) {
  return where ? yes : no;
}
NACRE_INLINE Vector clamp(Vector x, float low, float high) {
  x = choose(x < low, fill(low), x);  // NaN compares false and stays
  return choose(x > high, fill(high), x);
}

// exp(x) as scale and rest: exp(x) = scale · (1 + rest), scale a power of two; |x| <= 80.
//
// x = n ln2 + r with |r| <= ln2 / 2; rest = r + r² · q(r), q the Taylor coefficients of exp to r⁷/7!
// (error below 6e-9 relative). ln2 in two parts keeps r exact (Cody & Waite 1980).
NACRE_INLINE void exponential(Vector x, Vector& scale, Vector& rest) {
  const float shift = 12582912.0f;  // 1.5 · 2²³: adding it rounds to an integer
  Vector n = x * 1.44269504f + shift;
  Integers bits = (Integers)n;
  n = n - shift;
  Vector r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  Vector q = r * (1 / 5040.0f) + 1 / 720.0f;
  q = q * r + 1 / 120.0f;
  q = q * r + 1 / 24.0f;
  q = q * r + 1 / 6.0f;
  q = q * r + 0.5f;
  rest = r + r * r * q;
  scale = (Vector)((bits + (127 - 0x4B400000)) << 23);
}

NACRE_INLINE Vector sigmoid(Vector x) {
  Vector scale, rest;
  exponential(clamp(-x, -80.0f, 80.0f), scale, rest);
  return 1.0f / (1.0f + (scale + scale * rest));
}

// tanh(x) = e / (e + 2), e = exp(2x) - 1, exact to a few units in the last place also near 0.
NACRE_INLINE Vector hyperbolic_tangent(Vector x) {
  Vector scale, rest;
  exponential(clamp(x + x, -40.0f, 40.0f), scale, rest);
  Vector e = (scale - 1.0f) + scale * rest;
  return e / (e + 2.0f);
}

}  // namespace nacre
