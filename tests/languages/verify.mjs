// Reads a token a line, and says of each what the documented code makes of it.
import { createInterface } from "node:readline";
import { whoIs } from "./documented.mjs";

for await (const token of createInterface({ input: process.stdin })) {
  try {
    const claims = await whoIs(token);
    console.log(JSON.stringify({ sub: claims.sub }));
  } catch (error) {
    console.log(JSON.stringify({ refused: error.code ?? error.name }));
  }
}
