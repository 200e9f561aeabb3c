import { access } from '../../Access/words.en'
import { observing } from '../../Observing/words.en'
import { placing } from '../../Placing/words.en'
import { registering } from '../../Registering/words.en'
import { replaying } from '../../Replaying/words.en'
import { plumbing } from '../words.en'

/** Everything the pages say in English, by room; the other languages have the same keys. */
export const en = { access, observing, placing, plumbing, registering, replaying }

/** The same keys with other words. */
export type Translated<T> = { [K in keyof T]: T[K] extends string ? string : Translated<T[K]> }
