/** The smallest files that are what they say, and larger ones that begin like it. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
export const PNG: Buffer = Buffer.from(PIXEL, 'base64');
export const GIF: Buffer = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
export const JPEG: Buffer = Buffer.concat([
  Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex'),
  Buffer.from('ffd9', 'hex'),
]);
export const WEBP: Buffer = Buffer.from('UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA', 'base64');
export const BMP: Buffer = Buffer.concat([
  Buffer.from('424d3a0000000000000036000000280000000100000001000000010018', 'hex'),
  Buffer.alloc(29),
]);
export const TIFF: Buffer = Buffer.concat([Buffer.from('49492a0008000000', 'hex'), Buffer.alloc(64)]);
export const SVG: Buffer = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
