#include "agent/generate.h"

#include <algorithm>
#include <chrono>

namespace levin::agent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Holds back what could still become a stop string.
class StopFilter {
 public:
  explicit StopFilter(const std::vector<std::string>& stops) : stops_(stops) {}

  // Text that is certain; sets stopped() when a stop string is complete.
  std::string push(std::string_view text) {
    held_ += text;
    size_t first = std::string::npos;
    for (const std::string& stop : stops_) {
      if (!stop.empty()) first = std::min(first, held_.find(stop));
    }
    if (first != std::string::npos) {
      stopped_ = true;
      return take(first);
    }
    size_t live = 0;
    for (const std::string& stop : stops_) {
      for (size_t size = std::min(stop.size(), held_.size()); size > live; --size) {
        if (held_.compare(held_.size() - size, size, stop, 0, size) == 0) live = size;
      }
    }
    return take(held_.size() - live);
  }

  std::string finish() { return stopped_ ? std::string() : take(held_.size()); }
  bool stopped() const { return stopped_; }

 private:
  std::string take(size_t size) {
    std::string out = held_.substr(0, size);
    held_.erase(0, size);
    return out;
  }

  const std::vector<std::string>& stops_;
  std::string held_;
  bool stopped_ = false;
};

// Follows whether the reply is inside its reasoning, and how long that has lasted.
class ThinkBudget {
 public:
  explicit ThinkBudget(int64_t tokens_max) : tokens_max_(tokens_max) {}

  // Counts one token of the reply's text so far; true when the closing tag must be forced now.
  bool is_spent(const std::string& text) {
    if (tokens_max_ < 0 || closed_) return false;
    // Only what is new, and as much before it as a tag that it completes can reach back.
    const size_t from = scanned_ - std::min(scanned_, kThinkClose.size());
    scanned_ = text.size();
    if (!open_) {
      open_ = text.find(kThinkOpen, from) != std::string::npos;
      return false;
    }
    closed_ = text.find(kThinkClose, from) != std::string::npos;
    return !closed_ && ++tokens_ >= tokens_max_;
  }
  void close() { closed_ = true; }

 private:
  int64_t tokens_max_;
  int64_t tokens_ = 0;
  size_t scanned_ = 0;
  bool open_ = false;
  bool closed_ = false;
};

}  // namespace

Result<Generated> generate(ModelClient& client, engine::TokenId end_token,
                           const GenerateOptions& options,
                           const std::function<void(std::string_view)>& on_text) {
  Generated generated;
  engine::StreamDecoder decoder(client.tokenizer());
  StopFilter stops(options.stop_strings);
  ThinkBudget budget(options.think_tokens_max);
  const auto give = [&](const std::string& text) {
    generated.text += text;
    if (!text.empty() && on_text) on_text(text);
  };
  Clock::time_point start = Clock::now();
  generated.finish = FinishReason::kLength;
  while (generated.num_tokens < options.tokens_max) {
    if (options.interrupted != nullptr && options.interrupted->load()) {
      generated.finish = FinishReason::kInterrupted;
      break;
    }
    Result<engine::TokenId> sampled = client.sample(options.sample);
    if (!sampled) {
      // A full context cuts a reply that has begun; what came still counts.
      if (sampled.error().code() != ErrorCode::kLimit || generated.num_tokens == 0) {
        return std::move(sampled).error();
      }
      generated.cut_by = sampled.error().message();
      break;
    }
    const engine::TokenId id = *sampled;
    if (generated.num_tokens++ == 0) {
      generated.first_token_seconds = seconds_since(start);
      start = Clock::now();
    }
    if (id == end_token) {
      generated.finish = FinishReason::kStop;
      break;
    }
    give(stops.push(decoder.push(id)));
    if (stops.stopped()) {
      generated.finish = FinishReason::kStopString;
      break;
    }
    if (budget.is_spent(generated.text)) {
      const std::string tag = "\n" + std::string(kThinkClose) + "\n";
      const auto ids = client.tokenizer().encode(tag, engine::SpecialTokens::kAsText);
      TRY(client.append(ids));
      generated.num_tokens += static_cast<int64_t>(ids.size());
      give(stops.push(decoder.finish() + tag));
      budget.close();
    }
  }
  give(stops.push(decoder.finish()));
  give(stops.finish());
  generated.seconds = seconds_since(start);
  return generated;
}

}  // namespace levin::agent
