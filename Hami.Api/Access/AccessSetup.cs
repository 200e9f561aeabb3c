using Hami.Api.Access.SigningIn;

namespace Hami.Api.Access;

/// <summary>Puts the gate up that was asked for.</summary>
internal static partial class AccessSetup
{
    public static void AddAccess(this IServiceCollection services, AccessOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<AccessLog>();
        services.AddScoped<Asker>();
        switch (options)
        {
            case { Mode: AuthMode.Kubernetes }:
                services.AddSingleton<IGate, KubernetesGate>();
                break;
            case { Mode: AuthMode.Oidc, Oidc: { } oidc }:
                OidcGate.AddTo(services, oidc);
                services.AddSingleton<IGate>(new OidcGate(oidc));
                if (oidc.SignIn is { } signIn)
                    SignIn.AddTo(services, oidc, signIn);
                break;
            default:
                services.AddSingleton<IGate, OpenGate>();
                break;
        }
    }

    /// <summary>Answers the provider's page, where people sign in there; after the listeners, which say for whom an address exists.</summary>
    public static void UseAccess(this WebApplication app, AccessOptions options)
    {
        if (options.Oidc?.SignIn is not null)
            app.UseAuthentication();
    }

    /// <summary>Says what an admin should know.</summary>
    public static void Say(this AccessOptions options, ILogger logger)
    {
        if (options.Mode is AuthMode.None)
            LogOpen(logger);
        else
            LogGuarded(logger, options.Mode is AuthMode.Kubernetes ? "the API server" : $"the OpenID provider {options.Oidc!.Issuer}");
        if (options.Oidc?.SignIn is { } signIn)
            LogSignIn(logger, options.Oidc.Issuer, new(signIn.Address, SignIn.CallbackPath));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Whoever reaches GraphQL sees everything: --auth-mode none is for a lab. Give --auth-mode kubernetes or oidc.")]
    private static partial void LogOpen(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "Who asks GraphQL is told by {Who}.")]
    private static partial void LogGuarded(ILogger logger, string who);

    [LoggerMessage(Level = LogLevel.Information, Message = "People sign in at {Issuer}, which must know {RedirectUri} as an address to send them back to.")]
    private static partial void LogSignIn(ILogger logger, Uri issuer, Uri redirectUri);
}
