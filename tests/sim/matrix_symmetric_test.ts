import { testRow } from "./matrix.ts";

testRow("Sq");
testRow("Sr");
