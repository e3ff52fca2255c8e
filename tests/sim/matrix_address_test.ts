import { testRow } from "./matrix.ts";

testRow("Sa");
testRow("Sx");
