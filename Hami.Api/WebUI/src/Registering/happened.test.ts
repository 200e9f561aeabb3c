import { expect, test } from 'vitest'
import { readBody } from './happened'

test('An event tells which pod or device it is about', () => {
  expect(readBody('{"allocationId":"a","podUid":"u","namespace":"ml","pod":"train-0","node":"n1"}')).toMatchObject({ podUid: 'u', pod: 'ml/train-0' })
  expect(readBody('{"node":"n1","cards":[{},{}]}')).toMatchObject({ devices: 2 })
  expect(readBody('{"deviceUuid":"GPU-1"}')).toMatchObject({ deviceUuid: 'GPU-1' })
  expect(readBody('{"allocationId":"a","podUid":"u","reason":"BindFailed"}')).toMatchObject({ podUid: 'u', reason: 'BindFailed' })
})

test('A body that nobody can read tells nothing', () => {
  expect(readBody('not JSON')).toEqual({})
})
