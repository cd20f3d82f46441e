import { Body, Controller, Delete, Get, Param, Post, UseGuards } from '@nestjs/common';
import {
  AccessTokens,
  AppError,
  isId,
  JsonBodyGuard,
  limits,
  OperatorGuard,
  parseInput,
  type AccessToken,
} from '#libs/platform';
import { z } from 'zod';

const newToken = z.strictObject({
  name: z.string().trim().min(1).max(limits.accessTokenNameChars),
  expires_at: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .refine((at) => at > new Date(), { error: 'expected a time to come' })
    .nullish(),
});

/** Personal access tokens of this installation, for who holds its secret key. */
@Controller('v1/access-tokens')
@UseGuards(OperatorGuard, JsonBodyGuard)
export class AccessTokensController {
  constructor(private readonly accessTokens: AccessTokens) {}

  @Get()
  async list() {
    return (await this.accessTokens.list()).map(tokenJson);
  }

  /** `token` is in this answer, and nowhere again. */
  @Post()
  async create(@Body() body: unknown) {
    const { name, expires_at: expiresAt } = parseInput(newToken, body);
    const created = await this.accessTokens.create(name, expiresAt ?? null);
    return { ...tokenJson(created), token: created.token };
  }

  @Delete(':id')
  async revoke(@Param('id') id: string) {
    if (isId(id) && (await this.accessTokens.revoke(id))) return {};
    throw new AppError({ code: 'not_found', status: 404, message: `There is no access token ${id}` });
  }
}

function tokenJson({ id, name, createdAt, lastUsedAt, expiresAt }: AccessToken) {
  return { id, name, created_at: createdAt, last_used_at: lastUsedAt, expires_at: expiresAt };
}
