// checkpoint_bench FOLDER [FILES]: makes a repository in FOLDER (which must not exist) and prints
// as CSV how long checkpoints of it take. All in milliseconds; medians of many.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>
#include <vector>

#include "agent/checkpoint.h"
#include "tests/support/run_program.h"

namespace {

using Clock = std::chrono::steady_clock;
using levin::agent::CheckpointStore;

constexpr int kRuns = 31;
constexpr int kFilesPerFolder = 20;
constexpr int kLinesPerFile = 120;

void write_line(const std::filesystem::path& path, int number) {
  std::ofstream(path, std::ios::app) << "line " << number << " of a source file\n";
}

// Of this process; on a busy machine the truer figure.
double cpu_ms() {
  return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

struct Times {
  std::vector<double> wall;
  std::vector<double> cpu;
};

struct Saved {
  levin::agent::ObjectId id;
  Times times;  // Of one checkpoint.
};

Saved save(CheckpointStore& store, const levin::agent::ObjectId* last) {
  const auto start = Clock::now();
  const double cpu_start = cpu_ms();
  auto snapshot = store.read(last);
  const auto id = snapshot ? store.save(*std::move(snapshot), last, "bench")
                           : levin::Result<levin::agent::ObjectId>(snapshot.error());
  if (!id) {
    std::cerr << id.error().message() << '\n';
    std::exit(1);
  }
  const std::chrono::duration<double, std::milli> wall = Clock::now() - start;
  return {*id, {{wall.count()}, {cpu_ms() - cpu_start}}};
}

CheckpointStore open(const std::string& tree, const std::string& session) {
  auto store = CheckpointStore::open(tree, session);
  if (!store) {
    std::cerr << store.error().message() << '\n';
    std::exit(1);
  }
  return *std::move(store);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print(const char* name, const Times& times) {
  std::cout << name << ',' << median(times.wall) << ','
            << *std::min_element(times.wall.begin(), times.wall.end()) << ',' << median(times.cpu)
            << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || std::filesystem::exists(argv[1])) {
    std::cerr << "usage: checkpoint_bench NEW_FOLDER [FILES]\n";
    return 2;
  }
  const std::string tree = std::string(argv[1]) + "/tree";
  const std::string session = std::string(argv[1]) + "/state/bench";
  const int num_files = argc > 2 ? std::stoi(argv[2]) : 10'000;
  std::filesystem::create_directories(session);
  for (int file = 0; file < num_files; ++file) {
    const auto folder = tree + "/src/part" + std::to_string(file / kFilesPerFolder);
    std::filesystem::create_directories(folder);
    std::ofstream out(folder + "/file" + std::to_string(file) + ".cpp");
    for (int line = 0; line < kLinesPerFile; ++line) {
      out << "int value_" << file << '_' << line << ";\n";
    }
  }
  std::ofstream(tree + "/.gitignore") << "build/\n*.o\n*.tmp\n";
  levin::test::ProgramOptions here;
  here.folder = tree;
  levin::test::run_program({"git", "init", "-q", "."}, here);
  // Files are trusted once the clock has ticked since they were written.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  std::cout << "what,median_ms,min_ms,median_cpu_ms\n";
  Saved last;
  {
    CheckpointStore store = open(tree, session);
    last = save(store, nullptr);
    print("first_nothing_stored", last.times);
  }
  std::filesystem::remove(session + "/stat-cache");
  {
    CheckpointStore store = open(tree, session);
    last = save(store, &last.id);
    print("no_stat_cache", last.times);
  }
  Times fresh;
  Times warm;
  const std::string changed =
      tree + "/src/part7/file" + std::to_string(7 * kFilesPerFolder) + ".cpp";
  for (int run = 0; run < kRuns; ++run) {
    write_line(changed, run);
    const auto start = Clock::now();
    const double cpu_start = cpu_ms();
    CheckpointStore store = open(tree, session);
    last = save(store, &last.id);
    fresh.wall.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    fresh.cpu.push_back(cpu_ms() - cpu_start);
  }
  CheckpointStore store = open(tree, session);
  last = save(store, &last.id);
  for (int run = 0; run < kRuns; ++run) {
    write_line(changed, run);
    last = save(store, &last.id);
    warm.wall.push_back(last.times.wall.front());
    warm.cpu.push_back(last.times.cpu.front());
  }
  print("one_file_new_process", fresh);
  print("one_file_same_process", warm);
  return 0;
}
