// levin doctor: what this machine offers, tried by doing it, with the reason where something is
// missing.
#include <fmt/format.h>

#include <iostream>

#include "agent/commands.h"
#include "agent/paths.h"
#include "agent/profile.h"
#include "agent/wiring.h"
#include "sandbox/sandbox.h"
#include "tools/web_browser.h"

namespace levin::agent {
namespace {

void line(bool good, const std::string& name, const std::string& detail) {
  std::cout << fmt::format("{} {:<22} {}\n", good ? "ok     " : "missing", name, detail);
}

// Started as a check starts it, so that the line holds what really works.
void browser_line() {
  const Result<std::string> program = tools::find_browser();
  if (!program) return line(false, "browser", program.error().message());
  const Result<std::unique_ptr<tools::WebBrowser>> browser = tools::WebBrowser::start();
  if (!browser) return line(false, "browser", browser.error().message());
  line(true, "browser", fmt::format("{}, {}", (*browser)->version(), *program));
}

}  // namespace

int command_doctor() {
  std::cout << "levin " << LEVIN_VERSION << "\n\nengine\n";
  const Result<std::unique_ptr<kernels::Device>> device = kernels::make_cpu_device({});
  line(device.has_value(), "device", device ? (*device)->name() : device.error().message());
  const Result<std::string> data = find_data_folder();
  line(data.has_value(), "data folder", data ? *data : data.error().message());
  const Result<OpenedModel> model = open_model({});
  line(model.has_value(), "embedded model", model ? model->name : model.error().message());
  line(LEVIN_HAVE_CUDA != 0, "CUDA",
       LEVIN_HAVE_CUDA != 0 ? "toolkit found at build time; no CUDA kernels in this version"
                            : "built without a CUDA toolkit");
  std::cout << "\nsandbox\n";
  bool all = true;
  for (const sandbox::Layer& layer : sandbox::probe()) {
    line(layer.available, layer.name, layer.detail);
    all = all && (layer.available || !layer.required);
  }
  std::cout << "\nother\n";
  const Result<std::string> state = state_folder();
  line(state.has_value(), "state folder", state ? *state : state.error().message());
  browser_line();
  return model && device && all ? 0 : 1;
}

}  // namespace levin::agent
