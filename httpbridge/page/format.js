// Numbers as text.

export const NONE = "–";

const SIZES = ["", "K", "M", "G", "T", "P", "E"];

/// Three significant digits at most.
function short(value) {
  return value < 9.95 && value % 1 !== 0 ? value.toFixed(1) : String(Math.round(value));
}

/// In powers of 1024, as in the file `summary`.
export function bytes(value) {
  if (!Number.isFinite(value)) return NONE;
  let power = 0;
  while (value >= 999.5 && power < SIZES.length - 1) {
    value /= 1024;
    ++power;
  }
  return (power === 0 ? String(Math.round(value)) : short(value)) + SIZES[power];
}

export function bytesPerSecond(value) {
  return Number.isFinite(value) ? `${bytes(value)}/s` : NONE;
}

export function countPerSecond(value) {
  return Number.isFinite(value) ? `${short(Math.round(value * 10) / 10)}/s` : NONE;
}

export function number(value) {
  return Number.isFinite(value) ? value.toLocaleString("en", { maximumFractionDigits: 3 }) : NONE;
}

/// `share` is 1 for 100%.
export function percent(share) {
  if (!Number.isFinite(share)) return NONE;
  const value = Math.round(share * 1000) / 10;
  return `${short(value)}%`;
}

/// In the two largest units.
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return NONE;
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days > 0) return `${days}d ${two(hours)}h`;
  if (hours > 0) return `${hours}h ${two(minutes)}m`;
  if (minutes > 0) return `${minutes}m ${two(whole % 60)}s`;
  return `${whole}s`;
}

export function timeOfDay(date) {
  return date.toLocaleTimeString("en", { hour12: false });
}

/// As `2026-01-31 14:05:00`.
export function dateAndTime(date) {
  return date.toLocaleString("sv");
}

/// One word for a shell.
export function shellWord(text) {
  return /^[\w./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
