import { access } from '../../Access/words.zh'
import { observing } from '../../Observing/words.zh'
import { placing } from '../../Placing/words.zh'
import { registering } from '../../Registering/words.zh'
import { replaying } from '../../Replaying/words.zh'
import { plumbing } from '../words.zh'
import type { en, Translated } from './en'

export const zh: Translated<typeof en> = { access, observing, placing, plumbing, registering, replaying }
