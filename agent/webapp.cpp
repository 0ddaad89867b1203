#include "agent/webapp.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>

#include "agent/terminal_filter.h"
#include "base/file_io.h"
#include "tools/web_server.h"

namespace levin::agent {
namespace {

namespace fs = std::filesystem;

std::string round_folder(const std::string& report_folder, int round) {
  return report_folder + "/round-" + std::to_string(round);
}

// What the model is told about a round.
std::string feedback(const std::string& report, bool is_again) {
  return "The app was opened in a browser and used. The report:\n" + report + "\n\n" +
         (is_again ? "An earlier attempt to repair this changed nothing and was taken back. Take another way. "
                   : "") +
         "Find the causes in the code and repair the app.";
}

void add(Usage* sum, const Usage& one) {
  sum->reused += one.reused;
  sum->prefilled += one.prefilled;
  sum->generated += one.generated;
  sum->steps += one.steps;
  sum->tool_calls += one.tool_calls;
  // Rates of the last round; they vary little.
  sum->prefill_tokens_per_second = one.prefill_tokens_per_second;
  sum->tokens_per_second = one.tokens_per_second;
}

}  // namespace

Outcome Webapp::run() {
  Result<Outcome> outcome = rounds();
  usage_.files_changed = static_cast<int>(own_files_.size());
  return outcome ? *std::move(outcome) : failure_of(outcome.error());
}

Outcome Webapp::ended(const tools::WebReport& report) const {
  if (report.passed()) return Outcome{ExitCode::kDone, "", ""};
  return Outcome{ExitCode::kChecksFailed, "checks_failed",
                 fmt::format("{} of {} checks fail; see {}", report.num_failed(),
                             report.outcomes.size(), options_.report_folder)};
}

Result<Outcome> Webapp::rounds() {
  TRY_ASSIGN(before_, take_snapshot(options_.folder));
  TRY_ASSIGN(reused_, start_log(parts_.start, options_.request, parts_.events));
  request_length_ = parts_.start.client.token_log().size();
  std::vector<Round> done;
  for (int round = 1; round <= options_.rounds_max; ++round) {
    TRY_ASSIGN(Outcome outcome, generate());
    if (outcome.exit_code == ExitCode::kInterrupted) return outcome;
    const Result<std::string> entry = tools::find_web_entry(options_.folder);
    if (!entry) {
      if (outcome.exit_code != ExitCode::kDone) return outcome;
      return Outcome{ExitCode::kFailed, "no_page", "the model ended without writing a page"};
    }
    Result<tools::WebReport> report = check(round);
    if (!report) {
      if (report.error().code() == ErrorCode::kInterrupted) {
        return Outcome{ExitCode::kInterrupted, "interrupted", "stopped by the user"};
      }
      return Outcome{ExitCode::kChecksFailed, "no_browser",
                     "the app is written but was not checked: " + report.error().message()};
    }
    TRY(tell(*report, round));
    const bool can_go_on = outcome.exit_code == ExitCode::kDone || options_.repair == Repair::kStartOver;
    Round made;
    TRY_ASSIGN(made.files, take_snapshot(options_.folder));
    const auto& log = parts_.start.client.token_log();
    made.log_length = log.size();
    made.end_sampled = !log.empty() && log.back() == parts_.start.writer.end_of_sentence();
    made.report = *std::move(report);
    made.text = tools::to_text(made.report);
    done.push_back(std::move(made));
    if (done.back().report.passed() || round == options_.rounds_max || !can_go_on) {
      if (!can_go_on && !done.back().report.passed()) return outcome;
      break;
    }
    TRY(prepare_repair(done));
  }
  // What is left in the folder is the best of the rounds.
  const auto best = std::ranges::min_element(
      done, {}, [](const Round& each) { return each.report.num_failed(); });
  TRY(restore_snapshot(parts_.tools.workspace, best->files));
  TRY(publish(static_cast<int>(best - done.begin()) + 1));
  return ended(best->report);
}

Result<Outcome> Webapp::generate() {
  AgentOptions agent_options = parts_.agent;
  agent_options.tokens_reused = reused_;
  agent_options.own_files = own_files_;
  Agent agent(parts_.start.client, parts_.start.writer, parts_.registry, parts_.tools, parts_.events,
              parts_.start.transcript, std::move(agent_options));
  Outcome outcome = agent.run();
  add(&usage_, agent.usage());
  parts_.agent.first_step += agent.usage().steps;
  own_files_.insert(agent.changed_files().begin(), agent.changed_files().end());
  reused_ = static_cast<int64_t>(parts_.start.client.token_log().size());
  return outcome;
}

Result<tools::WebReport> Webapp::check(int round) {
  TRY_ASSIGN(tools::WebBrowser* browser, parts_.tools.browser());
  tools::WebCheckOptions options;
  options.target = options_.folder;
  options.report_folder = round_folder(options_.report_folder, round);
  options.interrupted = parts_.tools.interrupted;
  options.on_outcome = [](const tools::WebOutcome& outcome) {
    std::cerr << (outcome.passed ? "  ok      " : "  FAILED  ") << printable(outcome.name)
              << (outcome.passed ? "" : ": ") << printable(outcome.message) << std::endl;
  };
  std::cerr << "levin: round " << round << ": checking the app in " << browser->version() << std::endl;
  return tools::check_web_app(*browser, options_.spec, options);
}

Result<void> Webapp::tell(const tools::WebReport& report, int round) {
  WebCheckItem item;
  item.spec = report.spec;
  item.round = round;
  item.failed = static_cast<int>(report.num_failed());
  item.passed = static_cast<int>(report.outcomes.size()) - item.failed;
  item.report = tools::to_text(report);
  for (const tools::WebOutcome& outcome : report.outcomes) {
    for (const std::string& name : outcome.screenshots) {
      item.screenshots.push_back(round_folder(options_.report_folder, round) + "/" + name);
    }
  }
  parts_.events.on_event(
      ItemCompleted{parts_.agent.first_step, Item{"web_check_" + std::to_string(round), std::move(item)}});
  return {};
}

Result<void> Webapp::append(const std::vector<engine::TokenId>& ids) {
  TRY(parts_.start.client.append(ids));
  return parts_.start.transcript.append(TokensRecord{0, TokensRecord::Source::kPrefilled, ids});
}

Result<void> Webapp::go_back(size_t log_length) {
  if (parts_.start.client.token_log().size() == log_length) return {};
  TRY(parts_.start.client.rewind(static_cast<int64_t>(log_length)));
  TRY(parts_.start.transcript.append(CutRecord{log_length}));
  reused_ = parts_.start.client.num_computed();
  return {};
}

// Failing twice in the same way means that the last repair led nowhere: back to the best round.
Result<void> Webapp::prepare_repair(const std::vector<Round>& done) {
  if (options_.repair == Repair::kStartOver) {
    parts_.agent.generate.sample.temperature = options_.retry_temperature;
    ++parts_.agent.generate.sample.seed;
    TRY(go_back(request_length_));
    return restore_snapshot(parts_.tools.workspace, before_);
  }
  const bool is_again = done.size() >= 2 && done.back().text == done[done.size() - 2].text;
  const Round* from = &done.back();
  if (is_again) {
    from = &*std::ranges::min_element(done, {}, [](const Round& each) { return each.report.num_failed(); });
    parts_.agent.generate.sample.temperature = options_.retry_temperature;
    ++parts_.agent.generate.sample.seed;
    TRY(go_back(from->log_length));
    TRY(restore_snapshot(parts_.tools.workspace, from->files));
  }
  const std::string text = feedback(from->text, is_again);
  TRY(append(parts_.start.writer.assistant_end(from->end_sampled)));
  TRY(parts_.start.transcript.append(MessageRecord{0, MessageRecord::Role::kUser, text}));
  return append(parts_.start.writer.user_turn(text));
}

// The files of that round become the report: report.json, pictures, trace.jsonl.
Result<void> Webapp::publish(int round) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(round_folder(options_.report_folder, round), error)) {
    TRY_ASSIGN(const std::string content, read_file(entry.path().string()));
    TRY(write_file_atomic(options_.report_folder + "/" + entry.path().filename().string(), content));
  }
  if (error) return Error(ErrorCode::kIo, options_.report_folder + ": " + error.message());
  return {};
}

}  // namespace levin::agent
