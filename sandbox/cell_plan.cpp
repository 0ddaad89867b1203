#include "sandbox/cell_plan.h"

#include "sandbox/wire.h"

namespace levin::sandbox {

std::string encode(const CellPlan& plan) {
  WireWriter out;
  out.number(static_cast<int64_t>(plan.mounts.size()));
  for (const MountOp& op : plan.mounts) {
    out.number(static_cast<int64_t>(op.kind));
    out.text(op.source);
    out.text(op.target);
    out.number(op.read_only ? 1 : 0);
    out.number(op.mode);
    out.number(op.size_bytes);
  }
  out.text(plan.workspace);
  out.list(plan.write_below);
  out.text(plan.seccomp_filter);
  out.text(plan.host_name);
  out.number(plan.nested_namespaces ? 1 : 0);
  return out.bytes();
}

Result<CellPlan> decode_cell_plan(const std::string& bytes) {
  WireReader in(bytes);
  CellPlan plan;
  const int64_t count = in.number();
  for (int64_t index = 0; in.ok() && index < count; ++index) {
    MountOp op;
    op.kind = static_cast<MountOp::Kind>(in.number());
    op.source = in.text();
    op.target = in.text();
    op.read_only = in.number() != 0;
    op.mode = in.number();
    op.size_bytes = in.number();
    plan.mounts.push_back(std::move(op));
  }
  plan.workspace = in.text();
  plan.write_below = in.list();
  plan.seccomp_filter = in.text();
  plan.host_name = in.text();
  plan.nested_namespaces = in.number() != 0;
  if (!in.ok()) return Error(ErrorCode::kCorrupt, "the plan of a cell is torn");
  return plan;
}

std::string encode(const CommandPlan& plan) {
  WireWriter out;
  out.list(plan.argv);
  out.list(plan.programs);
  out.list(plan.environment);
  out.text(plan.working_folder);
  out.list(plan.pins);
  out.list(plan.guards);
  for (const int64_t value :
       {plan.fd_count, plan.pty ? int64_t{1} : int64_t{0}, plan.rows, plan.columns,
        plan.cgroup_fd_count, plan.processes_max, plan.open_files_max, plan.file_size_bytes_max,
        plan.cpu_ms_max, plan.memory_bytes_max, plan.niceness,
        plan.watch_processes ? int64_t{1} : int64_t{0}}) {
    out.number(value);
  }
  return out.bytes();
}

Result<CommandPlan> decode_command_plan(const std::string& bytes) {
  WireReader in(bytes);
  CommandPlan plan;
  plan.argv = in.list();
  plan.programs = in.list();
  plan.environment = in.list();
  plan.working_folder = in.text();
  plan.pins = in.list();
  plan.guards = in.list();
  plan.fd_count = in.number();
  plan.pty = in.number() != 0;
  plan.rows = in.number();
  plan.columns = in.number();
  plan.cgroup_fd_count = in.number();
  plan.processes_max = in.number();
  plan.open_files_max = in.number();
  plan.file_size_bytes_max = in.number();
  plan.cpu_ms_max = in.number();
  plan.memory_bytes_max = in.number();
  plan.niceness = in.number();
  plan.watch_processes = in.number() != 0;
  if (!in.ok() || plan.argv.empty() || plan.programs.empty() || plan.fd_count < 3) {
    return Error(ErrorCode::kCorrupt, "the plan of a command is torn");
  }
  return plan;
}

}  // namespace levin::sandbox
