import { Injectable } from '@nestjs/common';
import { ProjectGauges } from '#libs/usage';
import { countUsers } from './users/users.sql.js';

/** Tells the meter how many accounts there are. */
@Injectable()
export class AuthGauges {
  constructor(gauges: ProjectGauges) {
    gauges.add('auth_users', ({ database }) => countUsers(database));
  }
}
