// Images resized on the host, called by Python itself (`ctypes`), not by XLA.
//
// The formula is that of nacre/data/resizing.py, in its order of operations and rounded after each
// of them: the numbers are those of NumPy to the last bit.

#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

namespace {

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

// What the values along one axis are made of: `count` taps for each of `size` results.
struct Taps {
  const int64_t* places;
  const float* weights;
  int64_t size, count;
};

// A row of the result before its columns are resized: a weighted sum of rows.
template <typename T>
void sum_rows(const char* image, int64_t stride, int64_t numbers, const Taps& taps, int64_t row,
              float* out) {
  const int64_t* places = taps.places + row * taps.count;
  const float* weights = taps.weights + row * taps.count;
  auto line = [&](int64_t tap) {
    return reinterpret_cast<const T*>(image + places[tap] * stride);
  };
  const T* first = line(0);
  if (taps.count == 2) {
    const T* second = line(1);
    const float w0 = weights[0], w1 = weights[1];
    for (int64_t i = 0; i < numbers; ++i) {
      const float a = static_cast<float>(first[i]) * w0, b = static_cast<float>(second[i]) * w1;
      out[i] = a + b;
    }
    return;
  }
  for (int64_t i = 0; i < numbers; ++i) out[i] = static_cast<float>(first[i]) * weights[0];
  for (int64_t tap = 1; tap < taps.count; ++tap) {
    const T* next = line(tap);
    const float weight = weights[tap];
    for (int64_t i = 0; i < numbers; ++i) {
      const float part = static_cast<float>(next[i]) * weight;
      out[i] = out[i] + part;
    }
  }
}

// One pixel of three or four numbers at a time. Four are read and written for three: `row` has one
// number more than its pixels, and what is written behind a pixel is the next one's place.
template <int kChannels>
void sum_columns(const float* row, const Taps& taps, float* out) {
  const int64_t last = taps.size - (kChannels == 3 ? 1 : 0);
  auto pixel = [&](int64_t column) {
    const int64_t* places = taps.places + column * taps.count;
    const float* weights = taps.weights + column * taps.count;
    Four sum = *reinterpret_cast<const Four*>(row + places[0] * kChannels) * weights[0];
    for (int64_t tap = 1; tap < taps.count; ++tap) {
      const Four part = *reinterpret_cast<const Four*>(row + places[tap] * kChannels) * weights[tap];
      sum = sum + part;
    }
    return sum;
  };
  for (int64_t column = 0; column < last; ++column) {
    *reinterpret_cast<Four*>(out + column * kChannels) = pixel(column);
  }
  if (kChannels == 3 && taps.size > 0) {
    const Four sum = pixel(last);
    std::memcpy(out + last * kChannels, &sum, kChannels * sizeof(float));
  }
}

void sum_columns_of_any(const float* row, const Taps& taps, int64_t channels, float* out) {
  for (int64_t column = 0; column < taps.size; ++column) {
    const int64_t* places = taps.places + column * taps.count;
    const float* weights = taps.weights + column * taps.count;
    for (int64_t channel = 0; channel < channels; ++channel) {
      float sum = row[places[0] * channels + channel] * weights[0];
      for (int64_t tap = 1; tap < taps.count; ++tap) {
        const float part = row[places[tap] * channels + channel] * weights[tap];
        sum = sum + part;
      }
      out[column * channels + channel] = sum;
    }
  }
}

template <typename T>
void resize(const char* image, int64_t stride, int64_t width, int64_t channels, const Taps& rows,
            int64_t height, const Taps& columns, float* out) {
  const int64_t numbers = width * channels;
  const bool has_columns = columns.count > 0;
  const int64_t out_numbers = has_columns ? columns.size * channels : numbers;
  std::vector<float> room(has_columns ? numbers + 1 : 0);
  for (int64_t row = 0; row < height; ++row, out += out_numbers) {
    float* sums = has_columns ? room.data() : out;
    if (rows.count > 0) {
      sum_rows<T>(image, stride, numbers, rows, row, sums);
    } else {
      const T* line = reinterpret_cast<const T*>(image + row * stride);
      for (int64_t i = 0; i < numbers; ++i) sums[i] = static_cast<float>(line[i]);
    }
    if (!has_columns) continue;
    if (channels == 3) {
      sum_columns<3>(sums, columns, out);
    } else if (channels == 4) {
      sum_columns<4>(sums, columns, out);
    } else {
      sum_columns_of_any(sums, columns, channels, out);
    }
  }
}

}  // namespace

// One image, uint8 or float32, into another of float32: 0, or 1 where there is no memory.
// `stride`: bytes from one row of the image to the next; numbers of a row lie side by side.
// `height`: rows of the result. No taps (a count of 0) along an axis that stays as it is.
extern "C" int nacre_resize(const char* image, int64_t is_bytes, int64_t stride, int64_t width,
                            int64_t channels, int64_t height, const int64_t* row_places,
                            const float* row_weights, int64_t row_taps, int64_t new_width,
                            const int64_t* column_places, const float* column_weights,
                            int64_t column_taps, float* out) {
  const Taps rows{row_places, row_weights, height, row_taps};
  const Taps columns{column_places, column_weights, new_width, column_taps};
  try {
    if (is_bytes) {
      resize<uint8_t>(image, stride, width, channels, rows, height, columns, out);
    } else {
      resize<float>(image, stride, width, channels, rows, height, columns, out);
    }
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}
