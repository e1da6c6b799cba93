#include "skep/exchange/model_text.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <limits>

#include "printable.h"
#include "skep/exchange/describe.h"
#include "skep/wire/codec.h"
#include "skep_text.pb.h"

namespace skep::exchange {
namespace {

using google::protobuf::TextFormat;

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (!text_.empty()) return;
    // Counted from 0, and −1 for what concerns the whole.
    if (line >= 0)
      text_ = "line " + std::to_string(line + 1) + ", column " + std::to_string(column + 1) + ": ";
    text_ += printable(message);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

text::ModelSpec parse(std::string_view content, const std::string& name) {
  if (content.size() > kMaxModelTextBytes) {
    throw ExchangeError(Status::kTooLarge, name + " has " + std::to_string(content.size()) +
                                               " bytes: expected a ModelSpec of at most " +
                                               std::to_string(kMaxModelTextBytes));
  }
  text::ModelSpec message;
  FirstError error;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(std::string(content), &message)) {
    throw ExchangeError(Status::kMalformed,
                        name + ", " + error.text() + " (expected a ModelSpec of proto/skep.proto)");
  }
  return message;
}

/// Takes numbers out of a message and knows where it is, for messages.
class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  template <typename T>
  T take(const char* field, std::int64_t value, std::int64_t low,
         std::int64_t high = std::numeric_limits<T>::max()) const {
    if (value < low || value > high) {
      throw ExchangeError(Status::kInvalidArgument,
                          where_ + ": " + field + " is " + std::to_string(value) + ": expected " +
                              std::to_string(low) + " to " + std::to_string(high));
    }
    return static_cast<T>(value);
  }

 private:
  std::string where_;
};

Window read_window(const Reader& reader, const text::LayerSpec& layer) {
  const auto byte = [&](const char* field, std::uint32_t value) {
    return reader.take<std::uint8_t>(field, value, 0);
  };
  return {.height = byte("kernel_height", layer.kernel_height()),
          .width = byte("kernel_width", layer.kernel_width()),
          .stride_height = byte("stride_height", layer.stride_height()),
          .stride_width = byte("stride_width", layer.stride_width()),
          .pad_top = byte("pad_top", layer.pad_top()),
          .pad_bottom = byte("pad_bottom", layer.pad_bottom()),
          .pad_left = byte("pad_left", layer.pad_left()),
          .pad_right = byte("pad_right", layer.pad_right())};
}

void complete_window(LayerSpec& layer) {
  if (!has_window(layer.kind)) return;
  Window& window = layer.window;
  const bool is_pool = !has_parameters(layer.kind);
  if (window.height == 0) window.height = 1;
  if (window.stride_height == 0) window.stride_height = is_pool ? window.height : 1;
  if (window.stride_width == 0) window.stride_width = is_pool ? window.width : 1;
}

/// Outputs that were left out are what the kind gives for this input, if it gives any.
void complete_outputs(LayerSpec& layer, const Shape& input) {
  if (layer.outputs != 0 || internal::check_window(layer) != Status::kOk) return;
  const Result<Shape> shape = internal::shape_of_kind(layer, input);
  if (shape.ok()) layer.outputs = shape->channels;
}

LayerSpec read_layer(const Reader& reader, const text::LayerSpec& layer) {
  LayerSpec result{};
  result.kind = static_cast<LayerKind>(reader.take<std::uint8_t>("kind", layer.kind(), 1));
  result.outputs = reader.take<std::uint16_t>("outputs", layer.outputs(), 0, kMaxLayerWidth);
  result.window = read_window(reader, layer);
  result.negative_slope_q15 =
      reader.take<std::uint16_t>("negative_slope_q15", layer.negative_slope_q15(), 0, INT16_MAX);
  complete_window(result);
  return result;
}

void read_layers(const text::ModelSpec& message, const std::string& name, ModelSpec& spec) {
  if (message.layers_size() < 1 || message.layers_size() > static_cast<int>(kMaxLayers)) {
    throw ExchangeError(Status::kTooLarge, name + " has " + std::to_string(message.layers_size()) +
                                               " layers: expected 1 to " +
                                               std::to_string(kMaxLayers));
  }
  Shape shape = spec.input_shape();
  for (const text::LayerSpec& layer : message.layers()) {
    const Reader reader(name + ", layer " + std::to_string(spec.layer_count));
    LayerSpec& result = spec.layers[spec.layer_count++];
    result = read_layer(reader, layer);
    complete_outputs(result, shape);
    const Result<Shape> next = output_shape(result, shape);
    shape = next.ok() ? *next : Shape{};  // require_plan() says what is wrong with it.
  }
}

void check_version(const text::ModelSpec& message, const std::string& name, const ModelSpec& spec) {
  const std::uint32_t version = wire::from_model_spec(spec).version;
  if (message.version() != 0 && message.version() != version) {
    throw ExchangeError(Status::kMalformed, name + ": version is " +
                                                std::to_string(message.version()) + ": expected " +
                                                std::to_string(version) + " or none");
  }
}

text::LayerSpec to_message(const LayerSpec& layer) {
  text::LayerSpec message;
  message.set_kind(static_cast<text::LayerKind>(layer.kind));
  message.set_outputs(layer.outputs);
  message.set_kernel_height(layer.window.height);
  message.set_kernel_width(layer.window.width);
  message.set_stride_height(layer.window.stride_height);
  message.set_stride_width(layer.window.stride_width);
  message.set_pad_top(layer.window.pad_top);
  message.set_pad_bottom(layer.window.pad_bottom);
  message.set_pad_left(layer.window.pad_left);
  message.set_pad_right(layer.window.pad_right);
  message.set_negative_slope_q15(layer.negative_slope_q15);
  return message;
}

}  // namespace

ModelSpec parse_model_text(std::string_view content, const std::string& name) {
  const text::ModelSpec message = parse(content, name);
  const Reader reader(name);
  ModelSpec spec;
  spec.inputs = reader.take<std::uint16_t>("inputs", message.inputs(), 1, kMaxLayerWidth);
  spec.input_exponent =
      reader.take<std::int8_t>("input_exponent", message.input_exponent(), learn::kMinInputExponent,
                               learn::kMaxInputExponent);
  spec.frozen_layers = reader.take<std::uint8_t>("frozen_layers", message.frozen_layers(), 0);
  if (message.input_height() != 0) {
    spec.input_height =
        reader.take<std::uint16_t>("input_height", message.input_height(), 1, kMaxLayerWidth);
  }
  if (message.input_width() != 0) {
    spec.input_width =
        reader.take<std::uint16_t>("input_width", message.input_width(), 1, kMaxLayerWidth);
  }
  if (message.loss() != 0) {
    spec.loss = static_cast<Loss>(reader.take<std::uint8_t>("loss", message.loss(), 1));
  }
  read_layers(message, name, spec);
  try {
    (void)require_plan(spec);
  } catch (const ExchangeError& error) {
    throw ExchangeError(error.status(), name + ": " + error.what());
  }
  check_version(message, name, spec);
  return spec;
}

std::string format_model_text(const ModelSpec& spec) {
  text::ModelSpec message;
  message.set_inputs(spec.inputs);
  message.set_input_height(spec.input_height);
  message.set_input_width(spec.input_width);
  message.set_input_exponent(spec.input_exponent);
  message.set_loss(static_cast<text::Loss>(spec.loss));
  message.set_frozen_layers(spec.frozen_layers);
  std::string result = "# A model's architecture: ModelSpec of proto/skep.proto.\n";
  std::string part;
  TextFormat::PrintToString(message, &part);
  result += part;
  TextFormat::Printer one_line;
  one_line.SetSingleLineMode(true);
  for (const LayerSpec& layer : spec.active_layers()) {
    one_line.PrintToString(to_message(layer), &part);
    result += "layers { " + part + "}\n";
  }
  return result;
}

}  // namespace skep::exchange
