#include "fs/tree/node.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "fs/tree/host_file.hpp"

namespace hypeman::tests {
namespace {

using fs::file_node;
using fs::Inode;
using fs::InstanceFile;
using fs::Node;
using fs::NodeTable;
using fs::Row;

const std::string id = "qilviffnqzck2jrim1x6s2b1";

Node fixed(Row row) {
  return {.row = row};
}
const Node last_host_file{.row = Row::host_file, .index = fs::host_file_count - 1};

Node instance(const std::string& of) {
  return {.row = Row::instance, .key = of};
}
Node link(const std::string& name) {
  return {.row = Row::link, .key = name};
}

/// Every node with this key, as an ID and as a name.
std::vector<Node> nodes_of(const std::string& key) {
  std::vector<Node> nodes{instance(key), link(key), {.row = Row::vcpus, .key = key}};
  for (const auto& file : InstanceFile::all()) {
    nodes.push_back(file_node(key, file));
  }
  for (const std::uint16_t vcpu : {std::uint16_t{0}, std::uint16_t{7}, Node::max_index}) {
    nodes.push_back({.row = Row::vcpu, .key = key, .index = vcpu});
    for (const auto& file : InstanceFile::all_of_vcpu(vcpu)) {
      nodes.push_back(file_node(key, file));
    }
  }
  return nodes;
}

std::string describe(const Node& node) {
  switch (node.row) {
    case Row::root:
      return "root";
    case Row::by_name:
      return "by-name";
    case Row::host_file:
      return "host file " + std::to_string(node.index);
    case Row::vcpus:
      return "vcpus " + node.key;
    case Row::vcpu:
      return "vcpu " + node.key + "/" + std::to_string(node.index);
    case Row::instance:
      return "instance " + node.key;
    case Row::link:
      return "link " + node.key;
    default:
      return "file " + node.key + "/" + std::to_string(node.index) + "/" +
             std::string{node.file()->name()};
  }
}

std::string found(const NodeTable& table, Inode inode) {
  const auto node = table.find(inode);
  return node ? describe(*node) : "nothing";
}

TEST(NodeTable, RootHasTheNumberThatFuseRequires) {
  const NodeTable table;
  EXPECT_EQ(NodeTable::number_of(fixed(Row::root)), 1U);
  EXPECT_EQ(found(table, 1), "root");
}

TEST(NodeTable, FixedNodesAlwaysExist) {
  NodeTable table;
  EXPECT_EQ(table.acquire(fixed(Row::by_name)), NodeTable::number_of(fixed(Row::by_name)));
  EXPECT_EQ(table.acquire(fixed(Row::root)), NodeTable::number_of(fixed(Row::root)));
  table.release(NodeTable::number_of(fixed(Row::by_name)), 1000);
  table.release(NodeTable::number_of(fixed(Row::root)), 1000);
  EXPECT_EQ(found(table, NodeTable::number_of(fixed(Row::by_name))), "by-name");
  EXPECT_EQ(found(table, NodeTable::number_of(last_host_file)), "host file 2");
  EXPECT_EQ(found(table, NodeTable::number_of(fixed(Row::root))), "root");
}

TEST(NodeTable, NumbersAreKnownBeforeTheNodeIsAcquired) {
  NodeTable table;
  for (const auto& node : nodes_of(id)) {
    EXPECT_EQ(table.acquire(node), NodeTable::number_of(node)) << describe(node);
  }
}

TEST(NodeTable, NumbersAreNeverReservedOnes) {
  for (const auto& text : {id, std::string{"a"}, std::string{"web"}}) {
    for (const auto& node : nodes_of(text)) {
      EXPECT_GT(NodeTable::number_of(node), NodeTable::number_of(last_host_file)) << describe(node);
      EXPECT_NE(NodeTable::number_of(node), UINT64_MAX) << describe(node);
    }
  }
}

TEST(NodeTable, IdsWithTheSameHashHaveNodesOfTheirOwn) {
  // Found by trying: the hash of libstdc++ gives both the same number.
  const auto first = instance("vm200181");
  const auto second = instance("vm5524536");
  ASSERT_EQ(NodeTable::number_of(first), NodeTable::number_of(second));
  NodeTable table;
  const auto of_first = table.acquire(first);
  const auto of_second = table.acquire(second);
  EXPECT_EQ(found(table, of_first), describe(first));
  EXPECT_EQ(found(table, of_second), describe(second));
  table.release(of_first, 1);
  EXPECT_EQ(found(table, of_second), describe(second));
}

TEST(NodeTable, FindsAcquiredNodes) {
  NodeTable table;
  for (const auto& text : {id, std::string{"web"}}) {
    for (const auto& node : nodes_of(text)) {
      EXPECT_EQ(found(table, table.acquire(node)), describe(node));
    }
  }
}

TEST(NodeTable, FindsNoOtherNumber) {
  const NodeTable table;
  EXPECT_EQ(found(table, 0), "nothing");
  EXPECT_EQ(found(table, 4), "nothing");
  EXPECT_EQ(found(table, 16), "nothing");
  EXPECT_EQ(found(table, UINT64_MAX), "nothing");
  EXPECT_EQ(found(table, NodeTable::number_of(instance(id))), "nothing");
}

TEST(NodeTable, NoTwoNodesShareANumber) {
  constexpr int instances = 1000;
  std::set<Inode> numbers{NodeTable::number_of(fixed(Row::root)),
                          NodeTable::number_of(fixed(Row::by_name)),
                          NodeTable::number_of(last_host_file)};
  std::size_t expected = numbers.size();
  for (int i = 0; i < instances; ++i) {
    for (const auto& node : nodes_of("instance" + std::to_string(i))) {
      numbers.insert(NodeTable::number_of(node));
      ++expected;
    }
  }
  EXPECT_EQ(numbers.size(), expected);
}

TEST(NodeTable, ALinkNamedLikeAnIdIsAnotherNode) {
  NodeTable table;
  const auto directory = table.acquire(instance(id));
  const auto linked = table.acquire(link(id));
  EXPECT_NE(directory, linked);
  EXPECT_EQ(found(table, directory), "instance " + id);
  EXPECT_EQ(found(table, linked), "link " + id);
  table.release(linked, 1);
  EXPECT_EQ(found(table, directory), "instance " + id);
  EXPECT_EQ(found(table, linked), "nothing");
}

TEST(NodeTable, TheLastReleaseFreesTheNumber) {
  NodeTable table;
  const auto number = table.acquire(instance(id));
  EXPECT_EQ(table.acquire(instance(id)), number);
  EXPECT_EQ(table.acquire(instance(id)), number);
  table.release(number, 2);
  EXPECT_EQ(found(table, number), "instance " + id);
  table.release(number, 1);
  EXPECT_EQ(found(table, number), "nothing");
  EXPECT_EQ(table.acquire(instance(id)), number);
  EXPECT_EQ(found(table, number), "instance " + id);
}

TEST(NodeTable, AFileStaysWhenItsDirectoryIsReleased) {
  NodeTable table;
  const auto file = file_node(id, InstanceFile{3});
  const auto directory_number = table.acquire(instance(id));
  const auto file_number = table.acquire(file);
  table.release(directory_number, 1);
  EXPECT_EQ(found(table, file_number), describe(file));
  table.release(file_number, 1);
  EXPECT_EQ(found(table, file_number), "nothing");
  EXPECT_EQ(found(table, directory_number), "nothing");
}

TEST(NodeTable, OneReleaseTooManyDoesNoHarm) {
  NodeTable table;
  const auto number = table.acquire(instance(id));
  const auto other = table.acquire(instance("other"));
  table.release(number, 1000);
  table.release(number, 1);
  EXPECT_EQ(found(table, number), "nothing");
  EXPECT_EQ(found(table, other), "instance other");
  static_cast<void>(table.acquire(instance(id)));
  EXPECT_EQ(found(table, number), "instance " + id);
}

TEST(NodeTable, ReleasingNothingChangesNothing) {
  NodeTable table;
  const auto number = table.acquire(instance(id));
  table.release(number, 0);
  EXPECT_EQ(found(table, number), "instance " + id);
}

TEST(NodeTable, CountsCorrectlyInParallel) {
  NodeTable table;
  std::atomic<int> wrong = 0;
  constexpr int count = 4;
  std::vector<std::thread> threads;
  threads.reserve(count);
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        const auto number = table.acquire(instance(id));
        if (found(table, number) != "instance " + id) {
          ++wrong;
        }
        table.release(number, 1);
      }
    });
  }
  std::ranges::for_each(threads, &std::thread::join);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(found(table, NodeTable::number_of(instance(id))), "nothing");
}

TEST(NodeTable, FindsNoFileAfterTheLast) {
  NodeTable table;
  const auto directory = table.acquire(instance(id));
  const auto last = table.acquire(file_node(id, InstanceFile{InstanceFile::count() - 1}));
  EXPECT_EQ(found(table, last).substr(0, 4), "file");
  for (Inode next = last + 1; next < directory + 64; ++next) {
    EXPECT_EQ(found(table, next), "nothing") << next;
  }
}

TEST(NodeTable, IndexChangesTheNumber) {
  std::set<Inode> numbers;
  for (std::uint16_t index = 0; index < 1000; ++index) {
    auto node = file_node(id, InstanceFile{0});
    node.index = index;
    numbers.insert(NodeTable::number_of(node));
  }
  EXPECT_EQ(numbers.size(), 1000U);
}

TEST(NodeTable, KeepsTheHighestBitClear) {
  for (const auto& node : nodes_of(id)) {
    EXPECT_EQ(NodeTable::number_of(node) >> 63U, 0U) << describe(node);
  }
}

}  // namespace
}  // namespace hypeman::tests
