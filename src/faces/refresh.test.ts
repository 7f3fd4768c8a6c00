import { expect, test } from 'vitest'
import { namesEntity } from './refresh.ts'

test('[F5] K56 a path names an entity by its last segment', () => {
  for (const path of ['users', '/users', '/api/users', '/api/users/', '/api/users?page=2', '/api/users/#top'])
    expect(namesEntity(path, 'users'), path).toBe(true)
  for (const path of ['', '/', '/api/users/7', '/superusers', '/users/edit?next=/users', '/api?list=users'])
    expect(namesEntity(path, 'users'), path).toBe(false)
})
