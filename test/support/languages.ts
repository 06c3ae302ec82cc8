/** Words that no German sentence has, and hardly any English one lacks. */
export const englishWords =
  /\b(?:the|of|and|or|are|is|has|have|with|without|this|these|that|not|no|for|from|to|it|its|by|at|all|which|what|they|their|them|nothing|nobody)\b/i;
