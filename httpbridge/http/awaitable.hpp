#pragma once

#include <utility>  // boost/asio/awaitable.hpp uses std::exchange without it

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

/// Boost.Asio's coroutines on an io_context. The concrete executor type saves a virtual call for
/// each operation.
namespace hypeman::httpbridge {

using Executor = boost::asio::io_context::executor_type;

template <typename T>
using Awaitable = boost::asio::awaitable<T, Executor>;

inline constexpr boost::asio::use_awaitable_t<Executor> use_awaitable;

/// The operation stores its error in `error` instead of throwing it.
[[nodiscard]] inline auto store_error(boost::system::error_code& error) {
  return boost::asio::redirect_error(use_awaitable, error);
}

}  // namespace hypeman::httpbridge
