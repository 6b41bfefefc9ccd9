/** A text as a value in one of QEMU's lists of options, where a comma begins the next option. */
export function optionValue(text: string): string {
  return text.replaceAll(",", ",,");
}
