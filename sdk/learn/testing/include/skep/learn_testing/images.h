// Two sets of grey images, 28 x 28, ten classes: Fashion-MNIST (H. Xiao, K. Rasul and R. Vollgraf,
// 2017; 60,000 + 10,000) and 10,000 digits of MNIST (Y. LeCun, C. Cortes and C. Burges).
// `tools/deps/fetch images` puts both into the cache.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "skep/learn_testing/data_set.h"

namespace skep::learn_testing {

inline constexpr std::size_t kImagePixels = 784;
inline constexpr std::uint16_t kImageClasses = 10;
/// A pixel's value is int16 * 2^-8: 0 … 255/256.
inline constexpr std::int8_t kImageInputExponent = -8;

namespace internal {

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot open " + path.string() + " (run tools/deps/fetch images)");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// An IDX file of bytes (LeCun's format): 0, 0, 8, the number of dimensions, each as big-endian 32
// bits; then the data. Returns the data.
inline std::string read_idx(const std::filesystem::path& path, std::size_t dimensions,
                            std::size_t item_bytes) {
  const std::string bytes = read_file(path);
  const std::size_t header = 4 + 4 * dimensions;
  const std::string magic{0, 0, 8, static_cast<char>(dimensions)};
  if (bytes.size() < header || bytes.substr(0, 4) != magic) {
    throw std::runtime_error(path.string() + ": not an IDX file of bytes");
  }
  std::size_t count = 0;
  for (std::size_t i = 4; i < 8; ++i) count = count << 8 | static_cast<unsigned char>(bytes[i]);
  if (bytes.size() != header + count * item_bytes) {
    throw std::runtime_error(path.string() + ": not " + std::to_string(count) + " items");
  }
  return bytes.substr(header);
}

inline std::vector<Sample> read_images(const std::filesystem::path& folder,
                                       const std::string& part) {
  const std::string pixels = read_idx(folder / (part + "-images-idx3-ubyte"), 3, kImagePixels);
  const std::string labels = read_idx(folder / (part + "-labels-idx1-ubyte"), 1, 1);
  if (pixels.size() != labels.size() * kImagePixels) {
    throw std::runtime_error(folder.string() + ": not as many labels as images");
  }
  std::vector<Sample> samples(labels.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i].label = static_cast<unsigned char>(labels[i]);
    for (std::size_t p = 0; p < kImagePixels; ++p) {
      samples[i].features.push_back(static_cast<unsigned char>(pixels[i * kImagePixels + p]));
    }
  }
  return samples;
}

// {"data":[0.149,1,…]}: pixels / 255 with three decimals, image after image.
inline void append_digit_file(const std::filesystem::path& path, std::uint16_t label,
                              std::vector<Sample>& samples) {
  const std::string text = read_file(path);
  const std::size_t begin = text.find('[');
  const std::size_t end = text.find(']');
  if (begin == std::string::npos || end == std::string::npos) {
    throw std::runtime_error(path.string() + ": no list of pixels");
  }
  std::size_t count = 0;
  for (const char* at = text.c_str() + begin + 1; at < text.c_str() + end; ++count) {
    char* after = nullptr;
    const double pixel = std::strtod(at, &after);
    if (after == at || !(pixel >= 0 && pixel <= 1)) {
      throw std::runtime_error(path.string() + ": pixel " + std::to_string(count) +
                               " is not in 0 … 1");
    }
    if (count % kImagePixels == 0) samples.push_back({{}, label});
    samples.back().features.push_back(static_cast<std::int16_t>(std::lround(pixel * 255)));
    at = after + 1;
  }
  if (count == 0 || count % kImagePixels != 0) {
    throw std::runtime_error(path.string() + ": not whole images");
  }
}

}  // namespace internal

/// The environment variable SKEP_DATA_DIR, or else where the build expects the data sets.
inline std::filesystem::path data_folder() {
  const char* const path = std::getenv("SKEP_DATA_DIR");
  return path != nullptr ? path : SKEP_DATA_DIR;
}

/// The set's own split: 60,000 images for training, 10,000 for testing. Throws std::runtime_error
/// if a file is missing or not what it should be.
inline Split load_fashion_mnist(const std::filesystem::path& folder = data_folder() /
                                                                      "fashion-mnist") {
  return {internal::read_images(folder, "train"), internal::read_images(folder, "t10k")};
}

/// All 10,000 digits, by class. Throws as load_fashion_mnist().
inline std::vector<Sample> load_mnist(const std::filesystem::path& folder = data_folder() /
                                                                            "mnist") {
  std::vector<Sample> samples;
  for (std::uint16_t label = 0; label < kImageClasses; ++label) {
    internal::append_digit_file(folder / (std::to_string(label) + ".json"), label, samples);
  }
  return samples;
}

}  // namespace skep::learn_testing
