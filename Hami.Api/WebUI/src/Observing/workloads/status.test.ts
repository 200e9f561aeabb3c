import { describe, expect, test } from 'vitest'
import { statusOf } from './status'

const live = (reason: string | null, phase = 'Running', ready = true) => ({ live: { phase, reason, ready } })

describe('the status of a pod', () => {
  test.each([
    ['why it ended, when it has', { ...live(null), releaseReason: 'BIND_FAILED' as const }, 'BindFailed', 'bad'],
    ['that it completed', { releaseReason: 'COMPLETED' as const }, 'Completed', 'ended'],
    ['what kubectl says, before how far the allocation is', { ...live('CrashLoopBackOff', 'Running', false), phase: 'ATTACHED' as const }, 'CrashLoopBackOff', 'bad'],
    ['how many init containers have ended', live('Init:0/2', 'Pending', false), 'Init:0/2', 'underway'],
    ['that an init container failed', live('Init:Error', 'Pending', false), 'Init:Error', 'bad'],
    ['its phase where kubectl says no more', live(null), 'Running', 'good'],
    ['that it runs, though it is not ready', live(null, 'Running', false), 'Running', 'underway'],
    ['Completed as kubectl does for Succeeded', live(null, 'Succeeded', false), 'Completed', 'ended'],
    ['how far the allocation is, where the pod is not known', { phase: 'BOUND' as const }, 'Bound', 'underway'],
    ['that the devices were handed out', { phase: 'ATTACHED' as const }, 'Running', 'good'],
    ['that nothing is known', {}, 'Unknown', 'bad'],
  ])('is %s', (_, known, word, tone) => expect(statusOf(known)).toEqual({ word, tone }))
})
