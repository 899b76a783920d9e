//! The controls of one workspace. Tests use them while the mock runs.

use serde_json::{Map, Value};

use crate::mock::MockOsc;
use crate::platform::services::Service;
use crate::platform::workspace::Instance;
use crate::platform::{Workspace, find};
use crate::world::World;

/// A workspace of a running mock. [`MockOsc::workspace`] and [`MockOsc::default_workspace`] return one.
#[derive(Clone, Debug)]
pub struct WorkspaceControls<'a> {
    osc: &'a MockOsc,
    name: String,
}

impl MockOsc {
    /// Returns the workspace with this name, for any of its users.
    ///
    /// # Panics
    /// If there is no such workspace.
    #[track_caller]
    pub fn workspace(&self, name: &str) -> WorkspaceControls<'_> {
        let exists = self.with_world(|world| world.platform.workspace_mut(name).is_some());
        assert!(exists, "the mock has no workspace {name:?}");
        WorkspaceControls { osc: self, name: name.to_owned() }
    }

    /// Returns the first workspace of the first user, which is where [`approve`](Self::approve) signs in.
    pub fn default_workspace(&self) -> WorkspaceControls<'_> {
        let name = self.with_world(|world| world.settings.accounts.default_account().workspace);
        WorkspaceControls { osc: self, name }
    }
}

impl WorkspaceControls<'_> {
    /// Returns the name, which is the `tenantId` of access tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the token balance. At 0, instances cannot be created.
    pub fn set_balance(&self, tokens: i64) {
        self.with(|workspace| workspace.balance = tokens);
    }

    /// Sets the `planType`, for example `FREE`.
    pub fn set_plan(&self, plan: &str) {
        self.with(|workspace| plan.clone_into(&mut workspace.plan));
    }

    /// Returns a secret as stored by the app.
    pub fn secret(&self, service: &str, name: &str) -> Option<String> {
        let service = find(service)?;
        self.with(|workspace| workspace.secret(service, name).map(str::to_owned))
    }

    /// Returns the subscriptions in order, including those that the lists still leave out.
    pub fn subscriptions(&self) -> Vec<String> {
        self.with(|workspace| workspace.subscribed().map(str::to_owned).collect())
    }

    /// Subscribes to a service, as the console does.
    ///
    /// # Panics
    /// If the mock has no such service.
    pub fn subscribe(&self, service: &str) {
        let service = known(service);
        self.with(|workspace| workspace.subscribe(&[service], 0));
    }

    /// Ends a subscription, as the console does, and revokes its service access tokens. Returns true if there
    /// was one.
    ///
    /// # Panics
    /// If the mock has no such service.
    pub fn unsubscribe(&self, service: &str) -> bool {
        let service = known(service);
        self.osc.with_world(|world| world.platform.unsubscribe(&self.name, service))
    }

    /// Returns the names of the instances of a service in order. It includes instances that the API does not
    /// show because they are suspended or their creation timed out.
    pub fn instances(&self, service: &str) -> Vec<String> {
        self.with(|workspace| workspace.names(service))
    }

    /// Returns the fields of an instance as sent by the app, with references to secrets and without links.
    pub fn instance(&self, service: &str, name: &str) -> Option<Value> {
        let service = find(service)?;
        self.with(|workspace| {
            workspace.instance(service, name).map(|instance| Value::Object(instance.fields.clone()))
        })
    }

    /// Creates an instance, as another app would. It replaces an instance of the same name.
    ///
    /// # Panics
    /// If the mock has no such service.
    #[track_caller]
    pub fn add_instance(&self, service: &str, name: &str, fields: Map<String, Value>) {
        let service = known(service);
        self.osc.with_world(|world| {
            let now = world.now();
            let settings = &world.settings.platform;
            let workspace = world.platform.workspace_mut(&self.name).expect("workspaces stay");
            let mut instance = Instance::new(fields, now);
            instance.start(settings, now);
            workspace.insert(service, name, instance);
        });
    }

    /// Removes an instance, as another app would. Returns true if there was one.
    pub fn remove_instance(&self, service: &str, name: &str) -> bool {
        find(service).is_some_and(|service| self.with(|workspace| workspace.remove(service, name)))
    }

    /// Suspends an instance, as the platform does when a plan ends. The API no longer shows it, but
    /// `mysuspended` lists it. Returns true if there was one.
    ///
    /// # Panics
    /// If the mock has no such service.
    #[track_caller]
    pub fn suspend_instance(&self, service: &str, name: &str) -> bool {
        let service = known(service);
        self.with(|workspace| {
            workspace.instance_mut(service, name).map(|instance| instance.suspended = true).is_some()
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Workspace) -> T) -> T {
        let workspace =
            |world: &mut World| f(world.platform.workspace_mut(&self.name).expect("workspaces stay"));
        self.osc.with_world(workspace)
    }
}

/// Returns the service. A misspelt name fails the test instead of looking like an empty workspace.
#[track_caller]
pub(super) fn known(service: &str) -> &'static Service {
    match find(service) {
        Some(service) => service,
        None => panic!("the mock has no service {service:?}"),
    }
}
