import { cloudbox } from './cloudbox/index.ts';
import { cloudrest } from './cloudrest/index.ts';
import type { Dialect } from './common/dialect.ts';
import { images } from './images/index.ts';
import { minobject } from './minobject/index.ts';
import { vertex } from './vertex/index.ts';

/** Every older API that can be spoken, in the order of their documents. */
export const DIALECTS: readonly Dialect[] = [cloudrest, images, vertex, cloudbox, minobject];
