import { All, Controller } from '@nestjs/common';
import { AppError } from '#libs/platform';

/** Services of Supabase's that are not there yet; a WebSocket that knocks gets the same answer. */
@Controller()
export class UnsupportedController {
  @All(['realtime/v1', 'realtime/v1/*'])
  realtime(): never {
    throw notSupported('Realtime');
  }

  @All(['graphql/v1', 'graphql/v1/*'])
  graphql(): never {
    throw notSupported('GraphQL');
  }
}

function notSupported(service: string): AppError {
  return new AppError({ code: 'not_supported', status: 501, message: `${service} is not there yet` });
}
