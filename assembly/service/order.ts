// Services and servers are numbered as they come: listings show them in that order.

import { CONTROL_BASE, CONTROL_ORDER } from "../abi/layout";

export function nextOrder(): u32 {
  let order = load<u32>(CONTROL_BASE, CONTROL_ORDER) + 1;
  store<u32>(CONTROL_BASE, order, CONTROL_ORDER);
  return order;
}
