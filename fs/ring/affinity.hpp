#pragma once

/// The CPUs on which the calling thread may run. The CPUs of the process are those of its main
/// thread, which an administrator may have restricted. These functions do nothing if the system
/// does not allow the change: a thread on another CPU is only slower.
namespace hypeman::fs {

/// Binds the thread to this CPU. If it is not a CPU of the process, allows all of the process.
void run_on_cpu(unsigned cpu);

/// Allows all CPUs of the process.
void run_on_any_cpu();

}  // namespace hypeman::fs
