#include "tests/httpbridge/support/served_tree.hpp"

#include <map>

#include <fmt/format.h>

#include "tests/httpbridge/support/temporary_directory.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::httpbridge::testing {
namespace {

namespace fs = std::filesystem;

/// Files on an ordinary file system.
class PlainTree : public ServedTree {
 public:
  PlainTree() {
    fs::create_directories(directory() / "by-name");
    write_file(directory() / "metrics.prom", "# TYPE hypeman_vm_allocated_vcpus gauge\n");
    write_all();
  }

  [[nodiscard]] fs::path directory() const override { return place_.path() / "stats"; }

  void add(const std::string& id, const std::string& name) override {
    constexpr long memory_bytes = 4294967296;
    fs::create_directory(directory() / id);
    resize(id, name, memory_bytes);
    link(id, name);
  }

  void remove(const std::string& id, const std::string& name) override {
    fs::remove(directory() / "by-name" / name);
    fs::remove_all(directory() / id);
    write_all();
  }

  void rename(const std::string& id, const std::string& from, const std::string& to) override {
    fs::remove(directory() / "by-name" / from);
    link(id, to);
  }

  void resize(const std::string& id, const std::string& name, long memory_bytes) override {
    write_file(directory() / id / "stats.json",
               fmt::format("{{\n  \"allocated_memory_bytes\": {},\n  \"allocated_vcpus\": 2,\n"
                           "  \"cpu_seconds\": 0,\n  \"instance_id\": \"{}\",\n"
                           "  \"instance_name\": \"{}\",\n  \"memory_rss_bytes\": 0,\n"
                           "  \"memory_vms_bytes\": 0,\n  \"network_rx_bytes\": 0,\n"
                           "  \"network_tx_bytes\": 0,\n  \"memory_utilization_ratio\": 0\n}}\n",
                           memory_bytes, id, name));
    write_all();
  }

  void vanish() override { fs::rename(directory(), away()); }
  void come_back() override { fs::rename(away(), directory()); }

 private:
  /// Writes instances.json from the files of the instances.
  void write_all() const {
    std::map<std::string, std::string> stats;
    for (const auto& entry : fs::directory_iterator{directory()}) {
      if (fs::exists(entry.path() / "stats.json")) {
        stats[entry.path().filename()] = read_file(entry.path() / "stats.json");
      }
    }
    std::string text;
    for (const auto& [id, object] : stats) {
      text += fmt::format("{}\n\"{}\": {}", text.empty() ? "" : ",", id, object);
    }
    write_file(directory() / "instances.json", fmt::format("{{\"instances\": {{{}}}}}\n", text));
  }
  [[nodiscard]] fs::path away() const { return place_.path() / "away"; }
  void link(const std::string& id, const std::string& name) const {
    fs::create_directory_symlink("../" + id, directory() / "by-name" / name);
  }

  TemporaryDirectory place_;
};

/// A real mount of the daemon over a data directory.
class MountedTree : public ServedTree {
 public:
  [[nodiscard]] fs::path directory() const override { return mount_.path(); }

  void add(const std::string& id, const std::string& name) override {
    data_.write({.id = id, .name = name});
  }
  void remove(const std::string& id, const std::string& /*name*/) override { data_.remove(id); }
  void rename(const std::string& id, const std::string& /*from*/, const std::string& to) override {
    data_.write({.id = id, .name = to});
  }
  void resize(const std::string& id, const std::string& name, long memory_bytes) override {
    data_.write({.id = id, .name = name, .size = static_cast<std::uint64_t>(memory_bytes)});
  }
  void vanish() override { static_cast<void>(mount_.stop()); }
  void come_back() override { mount_.start(); }

 private:
  tests::DataDirectory data_;
  tests::StatsMount mount_{data_.path()};
};

}  // namespace

std::string ServedTree::stats_of(const std::string& id) const {
  return read_file(directory() / id / "stats.json");
}

void PrintTo(const TreeKind& kind, std::ostream* to) {
  *to << kind.name;
}

TreeKind plain_directory() {
  return {"PlainDirectory", [] { return std::make_unique<PlainTree>(); }};
}

TreeKind real_mount() {
  return {"RealMount", [] { return std::make_unique<MountedTree>(); }, /*mounts=*/true};
}

std::vector<TreeKind> served_trees() {
  return {plain_directory(), real_mount()};
}

std::string name_of(const ::testing::TestParamInfo<TreeKind>& info) {
  return info.param.name;
}

}  // namespace hypeman::httpbridge::testing
