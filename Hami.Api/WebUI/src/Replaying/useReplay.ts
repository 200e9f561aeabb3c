import { useIsFetching } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useMoment } from '../Plumbing/moment'
import { askBeside, useTravel } from './travel'
import { pace, replayed, type Speed } from './window'

export interface Replay {
  isPlaying: boolean
  /** The page still asks for what it shows. */
  isWaiting: boolean
  speed: Speed
  setSpeed: (speed: Speed) => void
  play: () => void
  pause: () => void
  error: unknown
}

/** Moves the moment of the page on by itself, at a speed or from event to event, until now. A picture stays until all of it was answered. */
export function useReplay(): Replay {
  const moment = useMoment()
  const travel = useTravel()
  const [isPlaying, setPlaying] = useState(false)
  const [speed, setSpeed] = useState<Speed>('60')
  const [error, setError] = useState<unknown>()
  const shownSince = useRef(0)
  const asked = useIsFetching()
  const { at } = moment

  useEffect(() => {
    shownSince.current = Date.now()
    if (at === undefined) setPlaying(false)
  }, [at])

  useEffect(() => {
    if (!isPlaying || at === undefined || asked > 0) return
    const gone = new AbortController()
    const next = async () => {
      try {
        const to = speed === 'events' ? await askBeside(at, false, gone.signal) : replayed(Date.parse(at), speed, Date.now())
        if (gone.signal.aborted) return
        if (to === undefined) setPlaying(false)
        travel(to)
      } catch (e) {
        if (gone.signal.aborted) return
        setPlaying(false)
        setError(e)
      }
    }
    const timer = setTimeout(() => void next(), Math.max(0, shownSince.current + pace - Date.now()))
    return () => {
      clearTimeout(timer)
      gone.abort()
    }
  }, [isPlaying, at, asked, speed, travel])

  return {
    isPlaying,
    isWaiting: isPlaying && asked > 0,
    speed,
    setSpeed,
    play: () => {
      setError(undefined)
      setPlaying(true)
    },
    pause: () => setPlaying(false),
    error,
  }
}
