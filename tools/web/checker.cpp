// One page, one check after the other; files of the report.
#include <filesystem>
#include <fstream>

#include "base/file_io.h"
#include "tools/web/base64.h"
#include "tools/web/verbs.h"
#include "tools/web_check.h"
#include "tools/web_server.h"

namespace levin::tools {
namespace {

namespace fs = std::filesystem;
using web::Json;

constexpr int kFilmstripHeight = 300;

// Where the page is: a folder served by us, or somebody's server.
struct Place {
  std::unique_ptr<WebServer> server;
  std::string url;
  std::string entry;  // For the report.
};

Result<Place> open_place(const std::string& target) {
  if (target.starts_with("http://") || target.starts_with("https://")) {
    return Place{nullptr, target, "URL"};
  }
  std::error_code error;
  fs::path folder = target;
  std::string entry;
  if (fs::is_regular_file(folder, error)) {
    entry = folder.filename().string();
    folder = folder.parent_path().empty() ? fs::path(".") : folder.parent_path();
  } else {
    if (!fs::is_directory(folder, error)) {
      return Error(ErrorCode::kNotFound, target + ": no such folder or page");
    }
    TRY_ASSIGN(entry, find_web_entry(folder.string()));
  }
  TRY_ASSIGN(std::unique_ptr<WebServer> server, WebServer::start(folder.string()));
  const std::string url = server->url() + (entry == "index.html" ? "" : entry);
  return Place{std::move(server), url, entry};
}

std::string file_name(size_t number, const std::string& name, const std::string& ending) {
  std::string plain;
  for (const char c : name) {
    plain += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  }
  return (number < 10 ? "0" : "") + std::to_string(number) + "-" + plain + ending;
}

class Checker {
 public:
  Checker(WebBrowser& browser, const WebSpec& spec, const WebCheckOptions& options)
      : browser_(browser), spec_(spec), options_(options) {}

  Result<WebReport> run() {
    TRY_ASSIGN(Place place, open_place(options_.target));
    report_.spec = spec_.name;
    report_.entry = place.entry;
    TRY(prepare_folder());
    TRY_ASSIGN(std::unique_ptr<web::Page> page, browser_.open_page(place.url));
    Result<void> checked = check_all(*page);
    finish(*page);
    browser_.close_page(std::move(page));
    TRY(checked);
    TRY(write_filmstrips());
    TRY(write_file("report.json", to_json(report_).dump(1) + "\n"));
    TRY(write_file("trace.jsonl", trace_));
    return std::move(report_);
  }

 private:
  Result<void> prepare_folder() {
    if (options_.report_folder.empty()) return {};
    return make_directories(options_.report_folder, 0755);
  }

  Result<void> write_file(const std::string& name, const std::string& content) {
    if (options_.report_folder.empty()) return {};
    return write_file_atomic(options_.report_folder + "/" + name, content);
  }

  Result<void> check_all(web::Page& page) {
    for (size_t i = 0; i < spec_.checks.size(); ++i) {
      if (options_.interrupted != nullptr && options_.interrupted->load()) {
        return Error(ErrorCode::kInterrupted, "stopped by the user");
      }
      const WebCheck& check = spec_.checks[i];
      const web::Clock::time_point start = web::Clock::now();
      WebOutcome outcome{check.name, false, "", {}};
      web::CheckContext context{page, check, "", {}};
      if (page.is_broken()) {
        outcome.message = "not tried: " + last_surprise(page);
      } else {
        const Result<std::string> message = check_one(context);
        outcome.message = message ? *message : last_words(page, message.error());
        outcome.passed = message && message->empty();
        TRY(keep_pictures(page, context, i + 1, outcome));
      }
      trace({{"check", check.name},
             {"passed", outcome.passed},
             {"wall_ms", std::chrono::duration_cast<std::chrono::milliseconds>(web::Clock::now() -
                                                                              start)
                             .count()}});
      if (options_.on_outcome) options_.on_outcome(outcome);
      report_.outcomes.push_back(std::move(outcome));
    }
    return {};
  }

  static std::string last_surprise(web::Page& page) {
    const auto& surprises = page.log().surprises;
    return surprises.empty() ? "the page is gone" : surprises.back();
  }

  static std::string last_words(web::Page& page, const Error& error) {
    return page.is_broken() ? last_surprise(page) : error.message();
  }

  Result<std::string> check_one(web::CheckContext& context) {
    web::Page& page = context.page;
    const WebCheck& check = context.check;
    const web::PageSize size{check.width, check.height};
    if (!check.keep || !loaded_) {
      TRY(page.resize(size));
      TRY(page.load(check.seed));
      loaded_ = true;
    } else if (size != page.size()) {
      TRY(page.resize_and_tell(size));
      TRY(page.advance(100));
    }
    if (!check.actions.empty()) {
      TRY_ASSIGN(const Json before, page.ask("probe.snapshot(null)"));
      context.before = before.dump();
    }
    for (const Json& action : check.actions) {
      TRY_ASSIGN(const std::string problem, web::find_action(action)->run(context, action));
      if (!problem.empty()) return problem;
    }
    for (const Json& expectation : check.expectations) {
      TRY_ASSIGN(const std::string problem, web::find_expectation(expectation)->run(context, expectation));
      if (!problem.empty()) return problem;
    }
    return std::string();
  }

  // One of the page as the check left it; a filmstrip where the check took frames.
  Result<void> keep_pictures(web::Page& page, web::CheckContext& context, size_t number,
                             WebOutcome& outcome) {
    if (options_.report_folder.empty() || page.is_broken()) return {};
    const Result<std::string> shot = page.screenshot();
    if (!shot) return {};  // Noted as a surprise.
    const std::string name = file_name(number, outcome.name, ".png");
    TRY(write_file(name, web::base64_decoded(*shot)));
    outcome.screenshots.push_back(name);
    if (context.frames.empty()) return {};
    const std::string strip = file_name(number, outcome.name, "-film.png");
    outcome.screenshots.push_back(strip);
    filmstrips_.emplace_back(strip, Json(context.frames).dump());
    return {};
  }

  Result<void> write_filmstrips() {
    for (const auto& [name, frames] : filmstrips_) {
      TRY_ASSIGN(const std::string strip, browser_.filmstrip(frames, kFilmstripHeight));
      TRY(write_file(name, web::base64_decoded(strip)));
    }
    return {};
  }

  void finish(web::Page& page) {
    if (!page.is_broken()) {
      const Result<Json> outline = page.ask("probe.outline()");
      if (outline && outline->is_string()) report_.outline = outline->get<std::string>();
    }
    report_.console_errors = page.log().console_errors;
    report_.failed_requests = page.log().failed_requests;
    report_.surprises = page.log().surprises;
  }

  void trace(const nlohmann::ordered_json& record) { trace_ += record.dump() + "\n"; }

  WebBrowser& browser_;
  const WebSpec& spec_;
  const WebCheckOptions& options_;
  WebReport report_;
  std::string trace_;
  std::vector<std::pair<std::string, std::string>> filmstrips_;  // File name, frames as JSON.
  bool loaded_ = false;
};

}  // namespace

Result<WebReport> check_web_app(WebBrowser& browser, const WebSpec& spec,
                                const WebCheckOptions& options) {
  return Checker(browser, spec, options).run();
}

}  // namespace levin::tools
