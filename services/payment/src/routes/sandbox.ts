import { paymentContract } from '@coffer/contracts';
import { type App, appError, serve } from '@coffer/service-kit';
import type { SandboxCheckouts } from '../providers/sandbox/checkouts.ts';

export interface SandboxDeps {
  /** Undefined where another provider takes the money, or none. */
  sandbox: { readonly checkouts: SandboxCheckouts } | undefined;
}

export default function routes(app: App, { sandbox }: SandboxDeps): void {
  const checkouts = (): SandboxCheckouts => {
    if (!sandbox) throw appError('not_found', 'The sandbox is not switched on');
    return sandbox.checkouts;
  };

  serve(app, paymentContract, 'getSandboxCheckout', async ({ params: { reference } }) => {
    const { planName, money, returnUrl } = await checkouts().getOpen(reference);
    return { reference, planName, ...money, returnUrl };
  });

  serve(app, paymentContract, 'actInSandbox', async ({ params: { reference }, body }, request) => {
    // Whoever holds the reference may pay; giving money back is the merchant's to do.
    if (body.action === 'refund' && request.principal().role !== 'operator')
      throw appError('forbidden', 'Only an operator pays back');
    const { returnUrl } = await checkouts().act(reference, body.action, body.webhooks);
    return { returnUrl };
  });
}
