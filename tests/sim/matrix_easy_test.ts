import { testRow } from "./matrix.ts";

testRow("P");
testRow("F");
testRow("B");
