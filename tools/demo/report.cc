#include "report.h"

#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdarg>
#include <nlohmann/json.hpp>

namespace skep::demo {
namespace {

// printf into a string; lines of the summary are short.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
  std::array<char, 256> line{};
  va_list arguments;
  va_start(arguments, pattern);
  (void)std::vsnprintf(line.data(), line.size(), pattern, arguments);
  va_end(arguments);
  return line.data();
}

}  // namespace

LiveTable::LiveTable(std::FILE* stream)
    : stream_(stream), is_terminal_(isatty(fileno(stream)) == 1) {}

void LiveTable::clear_progress() {
  if (has_progress_) std::fputs("\r\033[K", stream_);
  has_progress_ = false;
}

void LiveTable::on_step(const std::string& what) {
  clear_progress();
  std::fprintf(stream_, "\n== %s\n", what.c_str());
  std::fflush(stream_);
  has_header_ = false;
}

void LiveTable::on_progress(std::uint32_t round, std::uint32_t received, std::uint32_t devices) {
  if (!is_terminal_) return;
  clear_progress();
  std::fprintf(stream_, "%5" PRIu32 "  %3" PRIu32 " of %" PRIu32 " heard", round, received,
               devices);
  std::fflush(stream_);
  has_progress_ = true;
}

void LiveTable::on_round(const RoundRow& row) {
  clear_progress();
  if (!has_header_) {
    std::fputs("round  devices   bytes up  bytes down    loss  accuracy  outcome\n", stream_);
    has_header_ = true;
  }
  const std::string accuracy =
      row.accuracy ? format("%7.2f %%", *row.accuracy * 100) : std::string("        -");
  std::fprintf(stream_, "%5" PRIu32 "  %7" PRIu32 "  %9" PRIu64 "  %10" PRIu64 "  %6.3f %s  %s\n",
               row.round, row.devices, row.bytes_up, row.bytes_down, row.loss, accuracy.c_str(),
               row.outcome.c_str());
  std::fflush(stream_);
}

std::string to_text(const Summary& summary, double seconds) {
  const double dense_bytes = summary.dense_float_bytes;
  std::string text = "\n== summary\n";
  text += format("%" PRIu32 " devices, %" PRIu32 " rounds, %.0f s\n", summary.devices,
                 summary.rounds, seconds);
  text += format("accuracy           %6.2f %%  integers, data never left the devices\n",
                 summary.accuracy * 100);
  text += format("                   %6.2f %%  float32, all data in one place\n",
                 summary.float_accuracy * 100);
  text +=
      format("bytes per update   %6.0f    sealed and signed, before DTLS\n", summary.update_bytes);
  text += format("                   %6.0f    dense float32, unprotected (%.1f times as many)\n",
                 dense_bytes, dense_bytes / summary.update_bytes);
  text += format("poisoned release   %s (%.2f %% on held-out data)\n",
                 summary.poisoned_release.c_str(), summary.poisoned_accuracy * 100);
  text += format("rollback           %s (%.2f %% when forced, %.2f %% after)\n",
                 summary.rollback.c_str(), summary.bad_release_accuracy * 100,
                 summary.rolled_back_accuracy * 100);
  text += format("offline verify     %s, with one bit flipped: %s\n", summary.verify.c_str(),
                 summary.tampered_verify.c_str());
  text += "model SHA-256      " + summary.model_sha256 + "\n";
  return text;
}

std::string to_json(const Summary& summary, double seconds) {
  const nlohmann::ordered_json document{
      {"accuracy", summary.accuracy},
      {"float_accuracy", summary.float_accuracy},
      {"rounds", summary.rounds},
      {"devices", summary.devices},
      {"update_bytes", summary.update_bytes},
      {"dense_float_bytes", summary.dense_float_bytes},
      {"model_sha256", summary.model_sha256},
      {"poisoned_release", summary.poisoned_release},
      {"rollback", summary.rollback},
      {"verify", summary.verify},
      {"tampered_verify", summary.tampered_verify},
      {"seconds", seconds},
  };
  return document.dump(2) + "\n";
}

}  // namespace skep::demo
