// Runs handlers outside XLA: calls from standard input, their results to standard output.
//
// Every array has a block of its own of exactly its size, so that a sanitizer sees each number read
// or written past an end; XLA's own blocks are longer. Three threads stand in for XLA's.
//
// A call, in 64-bit numbers: length of the name, the name; counts of arguments, results, attributes;
// each argument as dtype, rank, sizes, bytes of it, its numbers; each result as dtype, rank, sizes,
// bytes of it; each attribute as length of its name, the name, its value.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "xla/ffi/api/c_api.h"

struct XLA_FFI_Error {
  std::string said;
};

namespace {

std::vector<std::thread> threads;

XLA_FFI_Error* fail(XLA_FFI_Error_Create_Args* args) { return new XLA_FFI_Error{args->message}; }
XLA_FFI_Error* count_threads(XLA_FFI_ThreadPool_NumThreads_Args* args) {
  *args->num_threads = 3;
  return nullptr;
}
XLA_FFI_Error* schedule(XLA_FFI_ThreadPool_Schedule_Args* args) {
  threads.emplace_back(args->task, args->data);
  return nullptr;
}

int64_t number() {
  int64_t read = 0;
  if (std::fread(&read, sizeof read, 1, stdin) != 1) std::exit(threads.empty() ? 0 : 2);
  return read;
}
std::string text() {
  std::string read(number(), ' ');
  if (std::fread(read.data(), 1, read.size(), stdin) != read.size()) std::exit(2);
  return read;
}

struct Array {
  explicit Array(bool is_given) {
    buffer.struct_size = XLA_FFI_Buffer_STRUCT_SIZE;
    buffer.dtype = static_cast<XLA_FFI_DataType>(number());
    buffer.rank = number();
    for (int64_t i = 0; i < buffer.rank; ++i) sizes.push_back(number());
    buffer.dims = sizes.data();
    bytes = number();
    buffer.data = std::malloc(bytes);
    if (is_given && std::fread(buffer.data, 1, bytes, stdin) != bytes) std::exit(2);
  }
  ~Array() { std::free(buffer.data); }
  XLA_FFI_Buffer buffer{};
  std::vector<int64_t> sizes;
  size_t bytes = 0;
};

void run() {
  XLA_FFI_Api api{};
  api.XLA_FFI_Error_Create = fail;
  api.XLA_FFI_ThreadPool_NumThreads = count_threads;
  api.XLA_FFI_ThreadPool_Schedule = schedule;
  const std::string name = text();
  const int64_t counts[] = {number(), number(), number()};
  std::vector<std::unique_ptr<Array>> arguments, results;
  std::vector<void*> given, made, attributes;
  for (int64_t i = 0; i < counts[0]; ++i) arguments.push_back(std::make_unique<Array>(true));
  for (int64_t i = 0; i < counts[1]; ++i) results.push_back(std::make_unique<Array>(false));
  for (auto& each : arguments) given.push_back(&each->buffer);
  for (auto& each : results) made.push_back(&each->buffer);
  std::vector<std::string> words(counts[2]);
  std::vector<int64_t> values(counts[2]);
  std::vector<XLA_FFI_Scalar> scalars(counts[2]);
  std::vector<XLA_FFI_ByteSpan> spans(counts[2]);
  std::vector<XLA_FFI_ByteSpan*> names;
  std::vector<XLA_FFI_AttrType> types(counts[2], XLA_FFI_AttrType_SCALAR);
  for (int64_t i = 0; i < counts[2]; ++i) {
    words[i] = text(), values[i] = number();
    spans[i].ptr = words[i].data(), spans[i].len = words[i].size();
    scalars[i].dtype = XLA_FFI_DataType_S64, scalars[i].value = &values[i];
    names.push_back(&spans[i]), attributes.push_back(&scalars[i]);
  }
  XLA_FFI_CallFrame frame{};
  frame.api = &api;
  frame.args.size = counts[0], frame.args.args = given.data();
  frame.rets.size = counts[1], frame.rets.rets = made.data();
  frame.attrs.size = counts[2], frame.attrs.types = types.data();
  frame.attrs.names = names.data(), frame.attrs.attrs = attributes.data();
  auto* handler = reinterpret_cast<XLA_FFI_Handler*>(dlsym(RTLD_DEFAULT, name.c_str()));
  if (handler == nullptr) std::exit(3);
  XLA_FFI_Error* error = handler(&frame);
  for (auto& each : threads) each.join();
  threads.clear();
  if (error != nullptr) {
    std::fprintf(stderr, "%s\n", error->said.c_str());
    std::exit(4);
  }
  for (auto& each : results) std::fwrite(each->buffer.data, 1, each->bytes, stdout);
}

}  // namespace

int main() {
  for (;;) run();
}
