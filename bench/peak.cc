// The most multiplications and additions of float32 a second: sums that wait for nothing but their
// own last step, in registers, on as many threads as the first argument says. Prints GFLOP/s.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int kWidth = 16, kSums = 16;
#elif defined(__AVX__)
constexpr int kWidth = 8, kSums = 12;
#else
constexpr int kWidth = 4, kSums = 12;
#endif
typedef float Vector __attribute__((vector_size(kWidth * 4)));

__attribute__((noinline)) float run(long steps) {
  Vector sums[kSums], factor = Vector{} + 0.999f, term = Vector{} + 0.001f;
  for (int i = 0; i < kSums; ++i) sums[i] = Vector{} + static_cast<float>(i);
  for (long step = 0; step < steps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * factor + term;
  float all = 0;
  for (int i = 0; i < kSums; ++i) all += sums[i][0];
  return all;
}

int main(int, char** given) {
  const int threads = std::atoi(given[1]);
  constexpr long kSteps = 20'000'000;
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    static volatile float kept;
    for (int i = 1; i < threads; ++i) others.emplace_back([] { kept = run(kSteps); });
    kept = run(kSteps);
    for (auto& each : others) each.join();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2.0 * threads * kSteps * kSums * kWidth / seconds.count());
  }
  std::printf("%.0f\n", best / 1e9);
}
