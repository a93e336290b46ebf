export * from './cloudbox.ts';
export * from './cloudrest.ts';
export * from './images.ts';
export * from './minobject.ts';
export * from './vertex.ts';
